import rawllm as openai
from rawllm import OpenAI
import os
from typing import List, Dict

# --- Configuration ---
# Point to your local server.
# Ollama: "http://localhost:11434/v1"
# LM Studio: "http://localhost:1234/v1"
# vLLM: "http://localhost:8000/v1"
LOCAL_LLM_ENDPOINT = os.environ["BASE_URL"]
LOCAL_MODEL_NAME = os.environ["MODEL"] # The model name you have pulled/loaded on your local server

# Initialize the OpenAI client to point to your local server
client = OpenAI(
    base_url=LOCAL_LLM_ENDPOINT,
    api_key="ollama" # Dummy API key for local servers
)


def get_chat_completion(user_message: str, system_message: str = "You are a helpful assistant.") -> str:
    """
    Sends a chat completion request to the local LLM.
    """
    messages = [
        {"role": "system", "content": system_message},
        {"role": "user", "content": user_message}
    ]

    try:
        response = client.chat.completions.create(
            model=LOCAL_MODEL_NAME,
            messages=messages,
            temperature=0.7,
            max_tokens=150
        )
        return response.choices[0].message.content
    except openai.APIConnectionError as e:
        print(f"Server connection error: {e}")
        print("Ensure your local LLM server is running and accessible at the specified base_url.")
        return "Error: Could not connect to local LLM server."
    except openai.APIStatusError as e:
        print(f"API status error: {e.status_code} - {e.response}")
        print("Check if the model name is correct and loaded on the server.")
        return "Error: LLM API returned an error."
    except Exception as e:
        print(f"An unexpected error occurred: {e}")
        return "Error: An unexpected error occurred."


# --- Example Usage ---
if __name__ == "__main__":
    # Ensure your local LLM server (e.g., Ollama) is running
    # and has the 'llama3' model pulled/loaded.
    
    response_content = get_chat_completion("Explain the concept of quantum entanglement.")
    print("\nLLM Response:")
    print(response_content)

    response_content_2 = get_chat_completion("What is the capital of Japan?", system_message="You are a geography expert.")
    print("\nLLM Response (Geography Expert):")
    print(response_content_2)
