"""Reranking of retrieved passages, by the likelihood of the query under the system's model or by a cross-encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api import Passage, Prompt, ScoresChoices, Task
from harness.decoding.finite import require_finite
from harness.errors import HarnessError
from harness.retrieval.ranking import Reranker, passage_line

_TASK = Task("question", "language_modelling", form="plain", question_label="Task", answer_label="Question")
_REQUEST = "Please write a question based on this passage."
BATCH = 32


@dataclass(frozen=True)
class LikelihoodReranker:
    """Scores a passage by log p(query | passage) under the system's own model, in nats.

    Source: Sachan et al. 2022 (UPR, arXiv:2204.07496), with its prompt; always as plain text. A passage that is too
    long for the model's window comes last.

    Attributes:
        model: of the system; None until `with_model`, so that no model is held that tuning has replaced.
    """

    model: Any = None

    def score(self, queries: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[list[float]]:
        """Score all pairs; a passage of several queries is read once.

        Raises:
            HarnessError: the model gives no log-likelihoods.
        """
        if not isinstance(self.model, ScoresChoices):
            raise likelihood_error(self.model)
        queries_by_passage: dict[Passage, list[str]] = {}
        for query, candidates in zip(queries, passages, strict=True):
            for passage in candidates:
                queries_by_passage.setdefault(passage, []).append(query)
        if not queries_by_passage:
            return [[] for _ in queries]
        prompts = [Prompt(_TASK, _REQUEST, passages=(passage,)) for passage in queries_by_passage]
        answers = self.model.score_choices(prompts, list(queries_by_passage.values()))
        score_of = {
            (passage, query): float("-inf") if answer.dropped_passages else score
            for (passage, passage_queries), answer in zip(queries_by_passage.items(), answers, strict=True)
            for query, score in zip(passage_queries, answer.choice_scores, strict=True)
        }
        return [[score_of[passage, query] for passage in row] for query, row in zip(queries, passages, strict=True)]

    def with_model(self, model: Any) -> LikelihoodReranker:
        """Return the reranker for a system with this model."""
        return replace(self, model=model)


@dataclass(frozen=True)
class CrossEncoderReranker:
    """Scores a pair by a cross-encoder, which reads both at once (Nogueira & Cho 2019, arXiv:1901.04085)."""

    encoder: Any

    def score(self, queries: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[list[float]]:
        """Score all pairs; a pair longer than the encoder's window is truncated."""
        pairs = [(query, passage_line(p)) for query, row in zip(queries, passages, strict=True) for p in row]
        scores = self.encoder.predict(pairs, batch_size=BATCH, show_progress_bar=False).tolist() if pairs else []
        require_finite(scores, "the passages to rerank")
        ordered = iter(scores)
        return [[next(ordered) for _ in row] for row in passages]

    def with_model(self, model: Any) -> CrossEncoderReranker:
        """Return itself: it does not use the system's model."""
        del model
        return self


def open_reranker(name: str | None, model: Any, locate: Callable[[str], Path]) -> Reranker | None:
    """Open a reranker by its name: ``likelihood``, a cross-encoder's, or None for none.

    Args:
        name: as the step has it.
        model: of the system.
        locate: finds the folder of a cross-encoder.

    Raises:
        HarnessError: the model gives no log-likelihoods, or the folder holds no cross-encoder.
    """
    if name is None:
        return None
    if name != "likelihood":
        return open_cross_encoder(locate(name))
    if not isinstance(model, ScoresChoices):
        raise likelihood_error(model)
    return LikelihoodReranker()


def open_cross_encoder(folder: Path) -> CrossEncoderReranker:
    """Load a cross-encoder of sentence-transformers from its folder, without its code.

    Raises:
        HarnessError: the folder holds no cross-encoder, not all of its weights, or one with several scores a pair.
    """
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - only a cross-encoder needs these

    from harness.models.compute_device import compute_device  # noqa: PLC0415
    from harness.models.loaded_weights import check_files, one_line_errors  # noqa: PLC0415
    from harness.models.loading import native_dtype  # noqa: PLC0415

    device = compute_device()
    with one_line_errors(f"the cross-encoder in {folder}"):
        settings = {"dtype": native_dtype(device)}
        encoder = CrossEncoder(str(folder), device=device, trust_remote_code=False, model_kwargs=settings)
        check_files(f"the cross-encoder in {folder}", encoder)
    if encoder.num_labels != 1:
        raise HarnessError(
            f"the model in {folder} gives {encoder.num_labels} scores a pair, and reranking needs one: name a"
            " cross-encoder that was trained for ranking."
        )
    return CrossEncoderReranker(encoder)


def likelihood_error(model: Any) -> HarnessError:
    """Return the error for a model without log-likelihoods."""
    name = getattr(getattr(model, "info", None), "name", None) or "this model"
    return HarnessError(
        f"rerank=likelihood needs a model that gives log-likelihoods, and {name} can only generate: name a"
        " cross-encoder instead."
    )
