"""What the tiny models answer, whatever they are asked."""

REPLY = "Hello there! I am a tiny model, café 😀."  # tiny.gguf
REASONING, ANSWER = "Let me see first", "The answer is four."  # tiny-think.gguf
TOOL, ARGUMENTS = "get_weather", {"city": "Paris"}  # tiny-tool.gguf
