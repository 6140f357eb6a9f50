import os
from rawllm import OpenAI
client = OpenAI(base_url=os.environ["BASE_URL"], api_key="unused-key")

response = client.chat.completions.create(
  model=os.environ["MODEL"],
  messages=[
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What’s the capital of France?"}
  ],
)
print(response.choices[0].message.content)

resp = client.embeddings.create(model=os.environ["MODEL"], input="Hello world!")
print(resp.data[0].embedding)
