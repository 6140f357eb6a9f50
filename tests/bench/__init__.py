"""What a client costs: rawllm beside its peers, against a server that costs next to nothing.

    python -m tests.bench --rounds 3 --jobs stream,delay --clients rawllm,requests
    python -m tests.bench --quick          small sizes: does the benchmark itself work?

The peers come with the extra ``bench``; one that is not installed is left out
and named below the tables. Every round runs every client once, in turn, each
in a fresh process. Noise only ever adds: of the delays the best round counts,
of everything else the median.

A new client is a class and a line in clients.py. A new job is a function and a
line in jobs.py, with its columns in report.py.
"""
