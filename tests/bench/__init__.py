"""What a client costs: rawllm beside its peers, against a server that costs next to nothing.

    python -m tests.bench --rounds 3 --jobs stream,delay --clients rawllm,requests
    python -m tests.bench --quick          small sizes: does the benchmark itself work?
    python -m tests.bench --python litellm=elsewhere/bin/python

The peers come with the extra ``bench``; one that is not installed is left out
and named below the tables. litellm asks for an older openai than there is, so
that one of the two needs an environment of its own, named by ``--python``.

Every round runs every client once, in turn, each in a fresh process. Noise only
ever adds: of the delays the best round counts, of everything else the median.
``memory`` has a process of its own, since what ran before leaves room behind,
and runs in the first round alone: it takes long, and hardly varies.

A new client is a class and a line in clients.py. A new job is a function and a
line in jobs.py, with its columns in report.py. What rawllm is to reach is a
table in targets.py.
"""
