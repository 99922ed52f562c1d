"""The public data sets by name, for those who only list them: each has the module of its name beside this one."""

TITLES: dict[str, str] = {
    "aircraft": "FGVC-Aircraft (variant)",
    "caltech101": "Caltech-101 (102 classes with BACKGROUND_Google)",
    "cars": "Stanford Cars",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100 (fine labels)",
    "dtd": "Describable Textures Dataset",
    "flowers": "Oxford Flowers-102",
    "food101": "Food-101",
    "pets": "Oxford-IIIT Pets",
    "sun397": "SUN397",
    "voc2007": "PASCAL VOC2007 classification",
    "eurosat": "EuroSAT (RGB)",
    "mhist": "MHIST",
    "plant_disease": "Plant disease (PlantVillage)",
    "cropdiseases": "CropDiseases (CD-FSL)",
    "isic2018": "ISIC 2018 task 3",
    "isic2018_cdfsl": "ISIC 2018 task 3, training images (CD-FSL)",
    "chestx": "ChestX-ray8, seven findings (CD-FSL)",
}
