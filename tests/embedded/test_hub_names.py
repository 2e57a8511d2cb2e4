import pytest

from spadework.embedded.hub import pull
from spadework.errors import ArgumentError
from spadework.util.paths import models_folder

REPO, FILE = "owner/tiny-GGUF", "Tiny-Q4.gguf"


@pytest.mark.parametrize(
    ("repo", "file", "says"),
    [
        ("tiny", FILE, "'tiny' is not written OWNER/REPO"),
        ("owner/tiny/more", FILE, "is not written OWNER/REPO"),
        ("../..", FILE, "is not written OWNER/REPO"),
        ("/etc", FILE, "is not written OWNER/REPO"),
        (REPO, "../../../etc/x.gguf", "is no GGUF file of a repository"),
        (REPO, "/etc/x.gguf", "is no GGUF file of a repository"),
        (REPO, "a\\b.gguf", "is no GGUF file of a repository"),
        (REPO, "a\0.gguf", "is no GGUF file of a repository"),
        (REPO, "model.safetensors", "is no GGUF file of a repository"),
        (REPO, "m-00001-of-00003.gguf", "is one part of a split model"),
    ],
)
def test_no_name_leads_out_of_the_models_folder_or_to_what_cannot_be_used(repo, file, says):
    with pytest.raises(ArgumentError, match=says):
        pull(repo, file)
    assert not models_folder().exists()
