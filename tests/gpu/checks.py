"""Acceptance checks of one GPU: each returns its figures; `LIMITS` says what they have to be on a GPU."""

import operator
from time import perf_counter

import torch

from harness.decoding import batched_decode, prefix_sharing
from harness.decoding.batched_decode import DecodeLimits
from harness.decoding.packed_rows import Branch, pack_row
from harness.decoding.timing import PassTimer
from harness.forecast import memory
from harness.measure.meter import Meter
from harness.models.quantised import dequantise, quantise
from harness.training import adapters
from harness.training.batches import TrainingSample
from harness.training.losses import backward
from harness.training.optimiser import MasterAdamW
from tests import architectures


def seconds(scale, call, times=3):
    """Return the mean seconds of a call, after one that is not counted."""
    call()
    scale.synchronize()
    start = perf_counter()
    for _ in range(times):
        call()
    scale.synchronize()
    return (perf_counter() - start) / times


def a0_ceilings(scale):
    """Measure what the chip can do at most: products, copies, launches, transfers."""
    size, copied, launches = scale.pick(8192, 64), scale.pick(2**32, 2**16), scale.pick(10_000, 10)
    matrix = torch.ones(size, size, device=scale.device, dtype=scale.dtype)
    source = torch.ones(copied, dtype=torch.uint8, device=scale.device)
    target, scalar = torch.empty_like(source), torch.zeros(1, device=scale.device)
    host = torch.ones(scale.pick(2**30, 2**16), dtype=torch.uint8)
    moved = {"pageable": host, "pinned": host.pin_memory() if scale.device == "cuda" else host}

    def launch():
        for _ in range(launches):
            scalar.add_(1)

    figures = {
        "tflops": 2 * size**3 / seconds(scale, lambda: matrix @ matrix, 10) / 1e12,
        "copy_gbs": 2 * copied / seconds(scale, lambda: target.copy_(source), 5) / 1e9,
        "launch_us": seconds(scale, launch) / launches * 1e6,
    }
    for name, block in moved.items():
        figures[f"{name}_gbs"] = len(block) / seconds(scale, lambda block=block: block.to(scale.device)) / 1e9
    return figures


def b1_new_lengths(scale):
    """Read rows of lengths that were never read: a kernel that plans each length anew makes the first pass slow."""
    model, _ = scale.model("1B")
    extra = []
    for length in range(300, 300 + 17 * scale.pick(16, 3), 17):
        row = pack_row([Branch(list(range(5, 5 + length % 97 + 20)), ([7, 8], [9, 10, 11])) for _ in range(4)], 0)
        passes = []
        for _ in range(2):
            scale.synchronize()
            start = perf_counter()
            with torch.inference_mode():
                prefix_sharing.log_likelihoods(model.module, row)
            scale.synchronize()
            passes.append(perf_counter() - start)
        extra.append(passes[0] - passes[1])
    return {"first_pass_ms": max(extra[1:]) * 1e3, "attention_math": float(_uses_math_kernel(scale, model.module))}


def _uses_math_kernel(scale, module):
    """Tell whether a packed row's attention is computed by the kernel that holds the whole score matrix."""
    row = pack_row([Branch(list(range(5, 60)), ([7, 8], [9])) for _ in range(3)], 0)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.inference_mode(), torch.profiler.profile(activities=activities) as profile:
        prefix_sharing.log_likelihoods(module, row)
    scale.synchronize()
    return any("_scaled_dot_product_attention_math" in event.key for event in profile.key_averages())


def b3_packed_against_alone(scale):
    """Compare rows, batches and training losses with each text alone, for windows, experts and composite models."""
    figures = {}
    for name in scale.pick(
        ("llama", "gemma3", "mistral", "phi3", "qwen2, windows", "gemma2", "gpt_oss", "mixtral"), ("gemma3",)
    ):
        module = architectures.build_variant(name).to(scale.device)
        figures[name] = max(architectures.differences(module, packs=True).values())
    return figures


def b2_exactness(scale):
    """Compare packed, prefixed and stacked texts with each alone, in float32 with the 1B shape."""
    model, _ = scale.model("1B", dtype=torch.float32, num_hidden_layers=scale.pick(4, 2))
    return {"": max(architectures.differences(model.module.requires_grad_(True), packs=True).values())}


def b4_batch_independence(scale):
    """Compare answers decoded in batches with those decoded alone, in the GPU's number format."""
    model, _ = scale.model("1B")
    prompts = [list(range(5, 40 + 7 * index % 90)) for index in range(scale.pick(64, 3))]
    limits = (DecodeLimits(8, frozenset(), max_rows=rows) for rows in (1, 32))
    alone, together = (batched_decode.decode_batched(model.module, prompts, limit) for limit in limits)
    agreeing = sum(a[0] == b[0] for a, b in zip(alone, together, strict=True))
    return {"first_token_share": agreeing / len(prompts)}


def c2_quantised_gradients(scale):
    """Compare the gradients of low-rank updates on 4-bit weights with those on the same weights dequantised."""
    gradients = []
    for dequantised in (False, True):
        torch.manual_seed(0)
        model, _ = scale.model("1B", num_hidden_layers=scale.pick(4, 2))
        quantise(model.module)
        if dequantised:
            dequantise(model.module)
        tuned = adapters.attach_low_rank(model, rank=8, alpha=16, dropout=0.0, targets="all-linear").module
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.data.fill_(0.01)
        backward(tuned, samples(4, 32), 10**6)
        gradients.append(torch.cat([w.grad.flatten().float() for w in tuned.parameters() if w.grad is not None]))
    return {"cosine": torch.nn.functional.cosine_similarity(*gradients, dim=0).item()}


def f1_timing(scale):
    """Compare the seconds that prompts are charged with those of the whole call."""
    model, _ = scale.model("1B")
    prompts = [[5 + row, *range(20, 120)] for row in range(scale.pick(32, 4))]
    timer = PassTimer(len(prompts), model.module.device)
    scale.synchronize()
    start = perf_counter()
    batched_decode.decode_batched(model.module, prompts, DecodeLimits(scale.pick(32, 3), frozenset()), timer=timer)
    scale.synchronize()
    return {"share": (sum(timer.prefill_s) + sum(timer.decode_s)) / (perf_counter() - start)}


def samples(count, tokens, predicted=3):
    """Return training samples of one length, which share nothing."""
    return [
        TrainingSample([5 + item, *(20 + n % 40 for n in range(tokens - predicted - 1))], [7, 8, 9][:predicted])
        for item in range(count)
    ]


def d1_training_memory(scale):
    """Compare the memory of a training step with the formulas, as a ratio of measured to forecast bytes."""
    figures = {}
    full_runs = ("1B", "full"), ("1B", "lora"), ("1B", "qlora"), ("8B", "lora")
    for model_name, step in scale.pick(full_runs, (("1B", "full"), ("1B", "qlora"))):
        tokens = scale.pick(768, 48)
        scale.reset_peak()
        model, shape = scale.model(model_name)
        module, footprint = _trained(model, shape, step)
        before = scale.reset_peak()
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        optimiser = MasterAdamW(weights, weight_decay=0.0)
        for _ in range(2):
            backward(module, samples(4, tokens // 4), tokens)
            optimiser.step(1e-4)
        peak = memory.training_peak(shape, footprint, memory.ForwardPass(tokens, 12))
        expected = peak.total - peak.weights
        measured = scale.peak_bytes()
        figures[f"{model_name} {step}"] = (measured - before) / expected if measured else expected / 2**20
        del module, optimiser, weights, model
    return figures


def _trained(model, shape, step):
    """Unfreeze what a step trains; return the module and its footprint."""
    if step == "full":
        model.module.requires_grad_(True)
        model.module.train()
        return model.module, shape.all_weights()
    if step == "qlora":
        quantise(model.module)
    tuned = adapters.attach_low_rank(model, rank=8, alpha=16, dropout=0.0, targets="all-linear")
    return tuned.module, shape.low_rank(8)


def d2_own_peak(scale):
    """Measure a small phase after a large one: what is reserved has to be the phase's own."""
    meter = Meter()
    for phase, size in (("adapt", scale.pick(2**32, 2**20)), ("predict", 2**20)):
        with meter.span(phase):
            block = torch.ones(size, dtype=torch.uint8, device=scale.device)
            del block
    large, small = (span.gpu_reserved_peak_bytes or 0 for span in meter.spans)
    return {"reserved_share": small / large if large else 0.0}


def p1_scoring(scale):
    """Score choices; the share of the measured product ceiling."""
    model, shape = scale.model("8B")
    count, length = scale.pick((200, 500), (4, 40))
    branches = [Branch([5 + item, *(20 + n % 40 for n in range(length))], ([7], [8], [9])) for item in range(count)]
    taken_s = seconds(scale, lambda: prefix_sharing.score_branches(model.module, branches, model.row_tokens), 1)
    tflops = 2 * shape.block_parameters * shape.layers * count * length / taken_s / 1e12
    return {"tokens_per_s": count * length / taken_s, "share": tflops / a0_ceilings(scale)["tflops"]}


def p2_decoding(scale):
    """Decode greedily; the share of the bandwidth that reading the weights alone would need."""
    model, shape = scale.model("8B")
    ceiling = a0_ceilings(scale)["copy_gbs"] * 1e9
    figures, steps = {}, scale.pick(128, 2)
    for rows in scale.pick((1, 32, 256), (1, 32)):
        prompts = [[5 + row, *range(20, 60)] for row in range(rows)]
        limits = DecodeLimits(steps, frozenset(), max_rows=rows, max_prompt_tokens=10**6, max_cache_tokens=10**7)
        taken_s = seconds(
            scale,
            lambda prompts=prompts, limits=limits: batched_decode.decode_batched(model.module, prompts, limits),
            1,
        )
        figures[f"{rows} rows, tokens_per_s"] = rows * steps / taken_s
        figures[f"{rows} rows, share"] = steps * shape.parameters * shape.dtype_bytes / taken_s / ceiling
    return figures


def p3_training(scale):
    """Train; the share of the product ceiling, with 4 N operations a token for adapters and 6 N for all weights."""
    ceiling, figures = a0_ceilings(scale)["tflops"] * 1e12, {}
    for model_name, step, factor in scale.pick(
        (("8B", "lora", 4), ("8B", "qlora", 4), ("1B", "full", 6)), (("8B", "lora", 4),)
    ):
        model, shape = scale.model(model_name)
        module, _ = _trained(model, shape, step)
        for tokens in scale.pick((768, 4096), (48,)):
            batch = samples(scale.pick(8, 2), tokens // 8)
            taken_s = seconds(
                scale,
                lambda module=module, batch=batch, tokens=tokens: backward(module, batch, tokens),
                scale.pick(3, 1),
            )
            operations = factor * shape.block_parameters * shape.layers * tokens
            figures[f"{model_name} {step} {tokens}, share"] = operations / taken_s / ceiling
        del module, model
    return figures


def r1_repetition(scale):
    """Score the same prompts twice; the largest difference in nats."""
    model, _ = scale.model("1B")
    branches = [Branch([5 + item, *range(20, 50)], ([7], [8, 9])) for item in range(scale.pick(64, 4))]
    first, second = (prefix_sharing.score_branches(model.module, branches, model.row_tokens) for _ in range(2))
    return {"nats": (torch.tensor(first) - torch.tensor(second)).abs().max().item()}


CHECKS = (
    *(a0_ceilings, b1_new_lengths, b3_packed_against_alone, d1_training_memory, p1_scoring, p2_decoding, p3_training),
    *(d2_own_peak, b2_exactness, b4_batch_independence, c2_quantised_gradients, f1_timing, r1_repetition),
)
"""In the order of what they decide, so that a run that is cut off leaves the most important."""

LIMITS = {
    a0_ceilings: {"launch_us": ("<=", 8.0)},
    b1_new_lengths: {"first_pass_ms": ("<=", 10.0), "attention_math": ("<=", 0.0)},
    b2_exactness: {"": ("<=", 1e-3)},
    b3_packed_against_alone: {"": ("<=", 1e-3)},
    b4_batch_independence: {"first_token_share": (">=", 0.97)},
    c2_quantised_gradients: {"cosine": (">=", 0.999)},
    d1_training_memory: {"": ("between", (0.9, 1.1))},
    d2_own_peak: {"reserved_share": ("<=", 0.1)},
    f1_timing: {"share": ("between", (0.98, 1.0))},
    p1_scoring: {"share": (">=", 0.40)},
    p2_decoding: {"1 rows, share": (">=", 0.15), "32 rows, share": (">=", 0.18)},
    p3_training: {"share": (">=", 0.25)},
    r1_repetition: {"nats": ("<=", 0.0)},
}
"""By check: the end of a figure's name, and what it has to be on an H100."""

EVERYWHERE = (b2_exactness, b3_packed_against_alone, b4_batch_independence, c2_quantised_gradients, r1_repetition)
"""Checks whose limits hold on a processor too."""

_COMPARE = {"<=": operator.le, ">=": operator.ge, "between": lambda figure, limits: limits[0] <= figure <= limits[1]}


def missed(check, figures):
    """Return what does not keep its limit, in words."""
    limits = [(name, *limit) for name, limit in LIMITS[check].items()]
    return [
        f"{check.__name__} {name}: {figure:.4g} is not {word} {limit}"
        for name, figure in figures.items()
        for ending, word, limit in limits
        if name.endswith(ending) and not _COMPARE[word](figure, limit)
    ]
