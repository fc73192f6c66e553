"""Ask with the instruction and the question only."""

from harness.api import Context, Step, System, TaskData


class ZeroShot(Step):
    """Instruction and question only: what the model can do as it is."""

    paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Take away exemplars, passages and reasoning."""
        del task, context
        return system.replace(exemplars=None, retriever=None, reasoning=None)
