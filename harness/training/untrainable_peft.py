"""Methods of peft that no training on examples can train here: known before peft is imported."""

UNSUPPORTED = {
    "adalora": "it moves ranks between layers after every step, which the training loop here does not do",
    "cartridge": "it is distilled from a text instead of being trained on examples",
    "cpt": "it has a loss of its own, over tokens of the examples in its prompt",
    "lily": "it asks the whole row which of its parts to use, so prompts that share a row would change each other",
    "mixed": "it holds other adapters",
    "multitask_prompt_tuning": "it must be told of every input which task it is",
    "poly": "it must be told of every input which task it is",
    "shadow": "it runs a second network beside the model",
    "xlora": "it mixes adapters that were trained before",
}
"""peft methods that cannot be trained here, and why."""
