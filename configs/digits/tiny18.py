_base_ = [
    "../_base_/models/tiny18.py",
    "../_base_/tasks/digits.py",
    "../_base_/recipes/small.py",
]
checkpoint = "random"
