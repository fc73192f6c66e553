"""What a suite may ask to be done to a task's training split: cleaning, anonymising, reducing, augmenting."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


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
        augment_copies: how many for each item.
        seed: for what is random.
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
