import os
import requests
import json
import time


class OpenAI:
    def __init__(self, base_url, api_key):
        self.base_url = base_url
        self.api_key = api_key
        self.headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json"
        }

    def make_request(self, model, messages):
        url = f"{self.base_url}/chat/completions"
        payload = {
            "model": model,
            "messages": messages,
            "stream": False,
            "max_tokens": 2048,
            "temperature": 0.7,
            "top_p": 1.0
        }
        return requests.post(url, headers=self.headers, json=payload)

    def extract_response(self, result):
        if "choices" in result and len(result["choices"]) > 0:
            message = result["choices"][0].get("message", {})
            content = message.get("content", "")
            finish_reason = result["choices"][0].get("finish_reason", "")
            usage = result.get("usage", {})
            print(f"✓ Tokens used: prompt={usage.get('prompt_tokens',0)}, "
                  f"completion={usage.get('completion_tokens',0)}, total={usage.get('total_tokens',0)}")
            print(f"✓ Finish reason: {finish_reason}")
            print("\n" + "="*50)
            print("Model reply:")
            print("="*50)
            print(content)
            print("="*50)
            return {
                "content": content,
                "role": message.get("role", "assistant"),
                "finish_reason": finish_reason,
                "usage": usage,
                "full_response": result
            }
        print("No valid content in response")
        return None

    def chat_completion(self, model, messages):
        response = self.make_request(model, messages)
        if response.status_code != 200:
            print(f"HTTP error: {response.status_code}")
            print(f"Message: {response.text}")
            return None
        return self.extract_response(response.json())

    def chat(self, model, messages):
        result = self.chat_completion(model, messages)
        return result["content"] if result else None


if __name__ == "__main__":
    base_url = os.environ["BASE_URL"]
    API_KEY = "111"
    model = os.environ["MODEL"]
    client = OpenAI(base_url, API_KEY)
    messages = [
        {"role": "system", "content": "你是一个小助手"},
        {"role": "user", "content": "你好"}
    ]
    response = client.chat(model, messages)
    print(response)
