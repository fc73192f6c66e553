"""Options for a task's training split: changes of its items, and secrets added to it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Preparation(BaseModel):
    """Changes of the training split, made in the order of these fields; validation and test items are never touched.

    Attributes:
        drop_leaks: leave out what is like a validation or test item, word for word or nearly.
        drop_duplicates: leave out what repeats an earlier item, question and answer.
        drop_near_duplicates: leave out what is nearly like an earlier item.
        max_words: leave out items whose question and answer have more words together.
        anonymise: replace likely personal data by their kind, such as ``<EMAIL>``.
        reduce: keep so many items.
        reduce_by: ``stratified`` keeps each label in its share, at random; ``diverse`` the items that cover the others
            best (k-center).
        augment: classification only: add copies with words left out (``delete``) or exchanged (``swap``).
        augment_copies: for each item.
        seed: of all that is random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop_leaks: bool = False
    drop_duplicates: bool = False
    drop_near_duplicates: bool = False
    max_words: int | None = Field(None, ge=1)
    anonymise: bool = False
    reduce: int | None = Field(None, ge=1)
    reduce_by: Literal["stratified", "diverse"] = "stratified"
    augment: Literal["delete", "swap"] | None = None
    augment_copies: int = Field(1, ge=1, le=16)
    seed: int = 0


class Canaries(BaseModel):
    """Made-up secrets to be planted (`canaries.plant`).

    Attributes:
        planted: secrets in the training split.
        repeats: copies of each secret, used in turn and then from the first; 0: a control that is asked for, but
            was never planted.
        passages: secrets in the corpus, each in a passage that one reader may see.
        seed: of persons and secrets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    planted: int = Field(0, ge=0, le=128)
    repeats: tuple[Annotated[int, Field(ge=0, le=256)], ...] = Field((1, 4, 16), min_length=1)
    passages: int = Field(0, ge=0, le=128)
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _number(cls, options: Any) -> Any:
        """Read a number as that of secrets in the training split."""
        return {"planted": options} if isinstance(options, int) and not isinstance(options, bool) else options

    @property
    def count(self) -> int:
        """Number of secrets, planted and in passages."""
        return self.planted + self.passages
