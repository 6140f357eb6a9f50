import os
from rawllm import OpenAI

client = OpenAI(base_url=os.environ["BASE_URL"], api_key="111")
messages = [
    {"role": "system", "content": "你是一个小助手"},
    {"role": "user", "content": "你好"}
]
response = client.chat.completions.create(model=os.environ["MODEL"], messages=messages)
print(response.choices[0].message.content)
