import os
from rawllm import OpenAI

client = OpenAI(base_url=os.environ["BASE_URL"], api_key="111")
messages = [{"role": "system", "content": "你是一个友好的AI助手,乐于帮助用户解决问题。"}]
print("="*50)
print("欢迎使用多轮对话机器人!(流式输出版)")
print("输入 'exit' 或 'quit' 退出程序")
print("输入 'clear' 或 'reset' 清除对话历史")
print("="*50)
turn = 1
while True:
    user_input = input(f"\n[第{turn}轮] 你: ").strip()
    if user_input.lower() in ['exit', 'quit', '退出']:
        print("再见!")
        break
    if user_input.lower() in ['clear', 'reset', '清除', '重置']:
        messages = [{"role": "system", "content": "你是一个友好的AI助手,乐于帮助用户解决问题。"}]
        turn = 1
        print("对话历史已清除,开始新的对话")
        continue
    if not user_input:
        continue
    messages.append({"role": "user", "content": user_input})
    print("\nAI: ", end="", flush=True)
    full_response = ""
    try:
        stream = client.chat.completions.create(
            model=os.environ["MODEL"],
            messages=messages,
            stream=True,
            max_tokens=1000
        )
        for chunk in stream:
            if chunk.choices[0].delta.content is not None:
                content = chunk.choices[0].delta.content
                print(content, end="", flush=True)
                full_response += content
        print()
        if full_response:
            messages.append({"role": "assistant", "content": full_response})
        turn += 1
    except Exception as e:
        print(f"\n请求出错: {e}")
        if messages and messages[-1]["role"] == "user":
            messages.pop()
