"""What the programs that write GGUF files share: the package that knows the format, and SmolVLM's chat template."""

import os
import sys

# What llama.cpp's fixed list knows as "smolvlm", written out for those who render Jinja.
SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}{{ '\\n\\n' }}{% else %}"
    "{{ 'User: ' if message['role'] == 'user' else 'Assistant: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% else %}{{ '<image>' }}{% endif %}{% endfor %}{% endif %}"
    "<end_of_utterance>{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")


def import_gguf():
    """The package gguf of SACCADE_LLAMA_SOURCE, else the installed one; ends the program when there is none."""
    source = os.environ.get("SACCADE_LLAMA_SOURCE")
    if source:
        sys.path.insert(0, os.path.join(source, "gguf-py"))
    try:
        import gguf
    except ImportError:
        program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        sys.exit(f"{program}: the Python package gguf is missing. Set SACCADE_LLAMA_SOURCE to a llama.cpp source tree.")
    return gguf
