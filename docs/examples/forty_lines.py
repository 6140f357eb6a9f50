"""A client for LLM servers in some forty lines, as tutorials write it.

Its faults are left in on purpose: docs/tutorial.md shows each of them on the wire.

    python docs/examples/forty_lines.py http://localhost:11434/v1 llama3 "Say hello."
"""

import json
import sys

import requests


class OpenAI:
    def __init__(self, base_url, api_key):
        self.base_url = base_url  # fault: with a slash at its end, the path gets two
        self.headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}

    def make_request(self, model, messages, stream=False):
        url = f"{self.base_url}/chat/completions"
        payload = {
            "model": model,
            "messages": messages,
            "stream": stream,
            "max_tokens": 2048,  # fault: three settings that nobody asked for
            "temperature": 0.7,
            "top_p": 1.0,
        }
        # fault: no timeout, a connection a call, netrc, redirects that turn POST into GET
        return requests.post(url, headers=self.headers, json=payload, stream=stream)

    def extract_response(self, result):
        if "choices" in result and len(result["choices"]) > 0:
            message = result["choices"][0].get("message", {})
            return {
                "content": message.get("content", ""),  # fault: None where it is null
                "role": message.get("role", "assistant"),
                "finish_reason": result["choices"][0].get("finish_reason", ""),
                "usage": result.get("usage", {}),
                "full_response": result,
            }
        print("No valid content in response")
        return None  # fault: the error that came instead is lost

    def chat_completion(self, model, messages):
        response = self.make_request(model, messages)
        if response.status_code != 200:
            print(f"HTTP error: {response.status_code}")
            print(f"Message: {response.text}")
            return None  # fault: a failure is printed, and looks like an answer without content
        return self.extract_response(response.json())  # fault: not every 200 is JSON

    def chat(self, model, messages):
        result = self.chat_completion(model, messages)
        return result["content"] if result else None

    def stream_chat(self, model, messages):
        response = self.make_request(model, messages, stream=True)  # fault: its status is not read
        for line in response.iter_lines(decode_unicode=True):  # fault: guesses, splits, holds back
            if line.startswith("data: "):  # fault: the space is optional
                if line == "data: [DONE]":
                    break
                chunk = json.loads(line[6:])
                delta = chunk["choices"][0]["delta"]  # fault: may be an error, or have no choices
                if delta.get("content"):
                    yield delta["content"]  # fault: tool calls and reasoning are dropped
        # fault: the end of the lines is taken for the end of the answer


if __name__ == "__main__":
    base_url, model, text = sys.argv[1:]
    client = OpenAI(base_url, "no-key")
    for piece in client.stream_chat(model, [{"role": "user", "content": text}]):
        print(piece, end="", flush=True)
    print()
