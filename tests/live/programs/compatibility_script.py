#!/usr/bin/env python3
"""Test OpenAI API compatibility."""
import os
from rawllm import OpenAI

BASE_URL = os.environ["BASE_URL"]

client = OpenAI(base_url=BASE_URL, api_key="test")

# Test: List models
print("Models:", [m.id for m in client.models.list().data])

# Test: Chat completion
response = client.chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Say hello"}],
    max_tokens=10
)
print("Response:", response.choices[0].message.content)

# Test: Streaming
print("Stream: ", end="")
stream = client.chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Count to 3"}],
    stream=True
)
for chunk in stream:
    if chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="")
print()
