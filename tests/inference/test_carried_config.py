import pytest
from mmengine.config import Config

from mmattn.inference.carried_config import read_config_text, require_registered
from mmattn.utils.configs import configs_root

RESNET = "model = dict(type='Recognizer2D', backbone=dict(type={}))"


def test_every_config_of_ours_comes_back_from_its_dump():
    paths = sorted(configs_root().rglob('recognition/*/*.py'))[::9]
    assert len(paths) > 5
    for path in paths:
        cfg = Config.fromfile(path)
        read = read_config_text(cfg.pretty_text, path.name)
        assert read.to_dict() == cfg.to_dict()
        require_registered(read, path.name)


def test_numbers_that_have_names_are_read():
    read = read_config_text('scale = (float_, inf)'.replace('float_', '-inf'), 'x')
    assert read.scale == (float('-inf'), float('inf'))


@pytest.mark.parametrize(
    'text',
    [
        "import os\nos.system('touch /tmp/never')",
        "model = __import__('os').system('true')",
        'model = dict(**{})',
        'model = dict([1])',
        'model = [x for x in ()]',
        'model = open',
        'a.b = 1',
        'a = b = ',
        'model = dict(1, 2)',
    ],
)
def test_code_is_refused(text):
    with pytest.raises(ValueError, match=r'^run: expected a config that MMEngine has'):
        read_config_text(text, 'run')


def test_imports_of_strangers_are_refused():
    text = "custom_imports = dict(imports=['mmattn', 'evil.module'])"
    with pytest.raises(
        ValueError, match=r"custom_imports of .*, got \['evil.module'\]"
    ):
        read_config_text(text, 'run')


@pytest.mark.parametrize(
    'kind',
    [
        "'os.system'",
        "'mmcv.imwrite'",
        "'mmengine.fileio.rmtree'",
        "'mmcv.cnn.get_model_complexity_info'",
        "'torch.hub.load'",
        "'NoSuchBackbone'",
        '1',
    ],
)
def test_what_is_no_registered_class_is_refused(kind):
    cfg = read_config_text(RESNET.format(kind), 'run')
    with pytest.raises(ValueError, match=r'^run: expected registered .*backbone.type'):
        require_registered(cfg, 'run')


@pytest.mark.parametrize(
    'kind', ["'ResNet'", "'mmaction.ResNet'", "'mmattn.VGG'", "'torchvision.resnet18'"]
)
def test_registered_backbones_pass(kind):
    require_registered(read_config_text(RESNET.format(kind), 'run'), 'run')


def test_a_library_may_only_give_backbones():
    text = "model = dict(type='torchvision.resnet18')"
    with pytest.raises(ValueError, match=r'expected registered .* model.type'):
        require_registered(read_config_text(text, 'run'), 'run')


def test_steps_of_both_pipelines_are_looked_at():
    text = (
        "model = dict(type='Recognizer2D')\n"
        "test_dataloader = dict(dataset=dict(pipeline=[dict(type='os.remove')]))"
    )
    with pytest.raises(ValueError, match=r"pipeline\[0\].type, got 'os.remove'"):
        require_registered(read_config_text(text, 'run'), 'run')
