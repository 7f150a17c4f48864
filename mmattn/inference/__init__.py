"""What a trained model does with videos: attend, detect, score, export, count."""
