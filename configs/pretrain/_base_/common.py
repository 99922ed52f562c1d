custom_imports = dict(imports=["mmbnft.pretraining"], allow_failed_imports=False)
normalisation = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
seed = 0
input_size = 48
picture_size = 96
