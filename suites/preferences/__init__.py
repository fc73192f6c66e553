"""Which of two answers is better: everyday physics, and answers judged by people."""
