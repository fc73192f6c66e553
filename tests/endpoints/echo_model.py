"""A tiny model that a server scores prompts with, as ``/completions`` with ``echo`` does, and faults of its kind."""

import threading

import torch

ECHO_FAULTS = ("ignored", "null", "zeros", "doubled", "stale", "refused", "shifted", "positive")


class EchoModel:
    """Answers bodies of both paths.

    Attributes:
        fault: one of `ECHO_FAULTS`; None: none.
    """

    def __init__(self, model, fault=None):
        self.model, self.fault, self.lock, self.scored = model, fault, threading.Lock(), 0

    def __call__(self, body):
        if "messages" in body:
            return self.chat(body)
        tokenizer = self.model.tokenizer
        ids = tokenizer(body["prompt"], add_special_tokens=False)["input_ids"]
        if self.fault == "doubled":
            ids = [tokenizer.bos_token_id] * 2 + ids
        echo = body.get("echo") and self.fault != "ignored"
        if self.fault == "refused" and body.get("echo"):
            return 403
        with self.lock, torch.no_grad():
            logits = self.model.module(torch.tensor([ids])).logits[0].float().log_softmax(-1)
            self.scored += 1
        written = [int(logits[-1].argmax())] * min(body["max_tokens"], 1)
        shown = (ids if echo else []) + written
        rows = ([None, *logits[:-1]] if echo else []) + [logits[-1]] * len(written)
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(written)}
        choice = {"text": tokenizer.decode(shown), "finish_reason": "length", "usage": usage}
        if "logprobs" not in body or (self.fault == "null" and body.get("echo")):
            return choice | {"logprobs": None}
        return choice | {"logprobs": self.columns(shown, rows, body["logprobs"], body.get("echo"))}

    def columns(self, shown, rows, k, echo):
        decode = self.model.tokenizer.decode
        logprobs = [None if row is None else float(row[token]) for token, row in zip(shown, rows, strict=True)]
        if echo and self.fault == "zeros":
            logprobs = [0.0] * len(logprobs)
        if echo and self.fault == "positive":
            logprobs = [number and -number for number in logprobs]
        if echo and self.fault == "shifted":
            logprobs = [logprobs[0], *logprobs[2:], logprobs[1]]
        if echo and self.fault == "stale" and self.scored % 2:
            logprobs = [logprobs[0], *(number - 1 for number in logprobs[1:-1]), logprobs[-1]]
        tops = [None if row is None else {decode([int(i)]): float(row[i]) for i in row.topk(k).indices} for row in rows]
        return {"tokens": [decode([token]) for token in shown], "token_logprobs": logprobs, "top_logprobs": tops}

    def chat(self, body):
        tokenizer = self.model.tokenizer
        ids = tokenizer.apply_chat_template(
            body["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with self.lock, torch.no_grad():
            output = self.model.module.generate(**ids, max_new_tokens=body["max_tokens"], do_sample=False)
        length = ids["input_ids"].shape[1]
        new = output[0, length:]
        reason = "stop" if new[-1] == tokenizer.eos_token_id else "length"
        text = tokenizer.decode(new, skip_special_tokens=True)
        usage = {"prompt_tokens": length, "completion_tokens": len(new)}
        return {"finish_reason": reason, "message": {"role": "assistant", "content": text}, "usage": usage}
