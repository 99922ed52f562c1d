protocol = "finetune"
