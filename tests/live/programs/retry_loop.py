import os
from rawllm import OpenAI
from tenacity import retry, wait_exponential

client = OpenAI(base_url=os.environ["BASE_URL"], api_key="x")


@retry(wait=wait_exponential(min=1, max=10))
def chat(messages):
    return client.chat.completions.create(
        model=os.environ["MODEL"],
        messages=messages
    )
