"""Shapes of the vision-language models that people run: every tensor, hyper-parameter and special token.

One module per family; each has FAMILIES, the family's models by name.
"""

from . import gemma3, internvl3, minicpmv, qwen2vl, smolvlm

FAMILIES = {family.name: family
            for module in (smolvlm, qwen2vl, gemma3, internvl3, minicpmv) for family in module.FAMILIES}
