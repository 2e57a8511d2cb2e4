"""What the tests of the config commands share."""

import sys

KEY = "sk-hunter2hunter2hunter2"
NO_SECRETS = "keys do not belong into this file; use api_key_env or api_key_file"
WRITE_IT = "write the key into its first line"
COMMAND = [sys.executable, "-m", "spadework"]

KOALA = (
    '[backends.koala]\nkind = "litellm"\nurl = "http://koala:4000"\n'
    'api_key_env = "LITELLM_API_KEY"\n[tools.ask_local_llama]\nmodels = ["koala/llama3-local"]\n'
)


def write(file, text):
    file.write_text(text, encoding="utf-8")
    return file
