"""Another instruction, or a prompt template of your own (Reynolds and McDonell 2021)."""

import os
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, model_validator

from harness.api import Context, Step, System, TaskData
from harness.errors import unknown
from harness.prompts.template import SUFFIX, read_text, validate


class CustomPrompt(Step):
    """Another instruction, another template, or both; what is not given stays as the task has it.

    A template is a Jinja file: `harness/prompts/templates/plain.jinja` is the built-in one, lists the variables,
    and can be copied.
    """

    instruction: str | None = Field(None, description="the sentence that opens every prompt; none: the task's own")
    template: str = Field("", description="a template of the suite by name, or a file, as in './mine.jinja'")
    text: str = Field("", repr=False, description="what the template's file says; read from it when the run is planned")

    paper: ClassVar[str] = "Reynolds and McDonell 2021, arXiv:2102.07350"

    @model_validator(mode="before")
    @classmethod
    def read_template(cls, parameters: Any) -> Any:
        """Read the template's file once, so that its text, not only its name, is part of the trial key.

        Raises:
            HarnessError: the file cannot be read, or is no template.
        """
        path = parameters.get("template") if isinstance(parameters, dict) else None
        if not isinstance(path, str) or not is_file(path) or parameters.get("text"):
            return parameters
        text = read_text(path, "template")
        validate(text, path)
        return {**parameters, "text": text}

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Set the instruction or the template of the system's task.

        Raises:
            HarnessError: the suite has no such template, or it cannot be used.
        """
        del context
        rewritten = system.task
        if self.instruction is not None:
            rewritten = replace(rewritten, instruction=self.instruction)
        if self.template:
            rewritten = replace(rewritten, template=self.text or self._suite_template(task))
        return system.replace(task=rewritten)

    def _suite_template(self, task: TaskData) -> str:
        if self.template not in task.templates:
            hint = "A template is templates/NAME.jinja in the suite's folder, or a file with its path."
            where = f"the suite of task {task.task.name!r}"
            raise unknown("template", self.template, task.templates, where=where, hint=hint)
        validate(task.templates[self.template], self.template)
        return task.templates[self.template]


def is_file(template: str) -> bool:
    """Tell a file from the name of a suite's template."""
    return "/" in template or os.sep in template or template.endswith(SUFFIX)
