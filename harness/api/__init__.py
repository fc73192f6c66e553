"""Types for plugin authors: steps, models, tasks, prompts, answers. Imports nothing heavy.

A *system* is a model plus the way it is asked. A *step* takes a system and a task's training material and
returns a new system. Steps see `TaskData`, which has no test split; at test time a system sees `Query`
objects, which carry no reference.
"""

from harness.api.architecture import Architecture, Footprint
from harness.api.endpoint_info import EndpointInfo, Outcome, ReturnedModel
from harness.api.search_space import Choice, Range
from harness.api.step import Context, CorpusFigures, Needs, Step
from harness.api.systems import (
    Answer,
    AnswersQueries,
    Exemplars,
    FindsBestChoice,
    FindsScorer,
    HasForms,
    HoldsWeights,
    KeepsPrefix,
    Model,
    ModelAwareRetriever,
    ModelInfo,
    ProgressCallback,
    Prompt,
    Reasoning,
    Retriever,
    Sampling,
    ScoresChoices,
    System,
    TrainingRetriever,
)
from harness.api.tasks import (
    Capability,
    Example,
    Form,
    Kind,
    Passage,
    Provision,
    Query,
    Task,
    TaskData,
    Turn,
    turns_text,
)
from harness.api.training_run import StopReason, TrainingRun

__all__ = [
    "Answer",
    "AnswersQueries",
    "Architecture",
    "Capability",
    "Choice",
    "Context",
    "CorpusFigures",
    "EndpointInfo",
    "Example",
    "Exemplars",
    "FindsBestChoice",
    "FindsScorer",
    "Footprint",
    "Form",
    "HasForms",
    "HoldsWeights",
    "KeepsPrefix",
    "Kind",
    "Model",
    "ModelAwareRetriever",
    "ModelInfo",
    "Needs",
    "Outcome",
    "Passage",
    "ProgressCallback",
    "Prompt",
    "Provision",
    "Query",
    "Range",
    "Reasoning",
    "Retriever",
    "ReturnedModel",
    "Sampling",
    "ScoresChoices",
    "Step",
    "StopReason",
    "System",
    "Task",
    "TaskData",
    "TrainingRetriever",
    "TrainingRun",
    "Turn",
    "turns_text",
]
