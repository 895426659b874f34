"""Fully ternary vision transformers: make a timm model ternary, train it, write it as one file, run that in C."""
__version__ = "0.1.0"

import os as _os

if _how := _os.environ.get('FTERVIT_PRODUCTS'):
    if _how != 'numpy': raise ValueError(f"FTERVIT_PRODUCTS is {_how!r}: 'numpy', or leave it unset")
    from .same_bits import hold_products as _hold_products
    _hold_products()

# name -> module, imported when first asked for
_OFFERED = dict(ternarize='models', TernaryConfig='models', load_checkpoint='checkpoints', load_published='checkpoints',
                save_checkpoint='checkpoints', save_gguf='export', load_student='model_file', Engine='classify')
__all__ = list(_OFFERED)


def __getattr__(name):
    if name not in _OFFERED:
        raise AttributeError(f"module 'ftervit' has no attribute {name!r}; it offers {', '.join(_OFFERED)}")
    from importlib import import_module
    return getattr(import_module(f'.{_OFFERED[name]}', __name__), name)


def __dir__(): return [*globals(), *_OFFERED]
