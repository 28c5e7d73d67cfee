"""Shapes of the models that people let look and listen: every tensor, hyper-parameter and special token.

One module per family; each has FAMILIES, the family's models by name.
"""

from . import gemma3, internvl3, lfm2vl, minicpmv, qwen2vl, qwen25omni, smolvlm, ultravox

FAMILIES = {family.name: family
            for module in (smolvlm, qwen2vl, gemma3, internvl3, minicpmv, lfm2vl, qwen25omni, ultravox)
            for family in module.FAMILIES}
