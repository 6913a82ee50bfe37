"""What the workers of both queues do."""


def add(first, second):
    return first + second
