"""Does a map explain the model that made it?"""
