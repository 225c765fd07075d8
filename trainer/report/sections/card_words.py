# SPDX-License-Identifier: MIT
"""What the card says of every model of this kind, and of ChestX-ray14, whatever was given.

The headings follow model cards (Mitchell et al., FAT* 2019, arXiv:1810.03993) and data sheets
(Gebru et al., Communications of the ACM 2021; 64(12):86-92) as Garbin and Marques filled them in
for CheXNet and ChestX-ray8 (Radiology: Artificial Intelligence 2022; 4(2):e210127).
"""

INTENDED = (
    "Research on methods: comparing models, training recipes and data, and studying errors and "
    "shortcuts.",
    "For people who can judge such figures. A score is a number to be studied, not a finding.",
)

OUT_OF_SCOPE = (
    "Care of patients in any form: diagnosis, triage, second reading, or telling anybody that an "
    "image is normal. Neither the model nor this report is a medical device.",
    "Images of another kind than those that were tested: lateral views, CT, photographs of films.",
    "Another hospital, machine or group of patients, until the model has been tested there.",
    "Findings that are not listed here. A low score for all of these does not mean a healthy "
    "chest.",
)

# What `evaluation.views` may be.
VIEWS = {
    "one": "the centre alone",
    "flip": "2: the centre and its mirror image",
    "ten_crop": "10: the centre and the four corners, each with its mirror image",
}

CHESTXRAY14 = (
    ("name", "ChestX-ray14: 112,120 frontal radiographs of 30,805 patients, 14 findings"),
    ("origin", "NIH Clinical Center, Bethesda, 1992 to 2015; one centre"),
    ("described in", "Wang et al., CVPR 2017, arXiv:1705.02315"),
    ("published at", "https://nihcc.app.box.com/v/ChestXray-NIHCC"),
    (
        "terms",
        "free to use; the NIH Clinical Center asks to link the download site, to cite the paper "
        "and to acknowledge it as the provider",
    ),
    ("labels by", "a program that read the radiologists' reports; not by looking at the images"),
)

CHESTXRAY14_LIMITS = (
    "The labels come from the text of reports. The authors found more than 90% of them right "
    "against the text; a radiologist who looked at images found most labels right 10% to 30% less "
    "often than documented (Oakden-Rayner, Academic Radiology 2020, arXiv:1907.12720). A model can "
    "score well by learning such errors.",
    "No finding means that none of the 14 was mentioned, or only as uncertain. It does not mean a "
    "normal chest. Pneumonia is a clinical diagnosis that an image alone does not give.",
    "All images are of one research hospital, taken from 1992 to 2015, of patients referred there. "
    "Other machines, other diseases and other patients will give other figures.",
    "Films taken in bed (AP) are of sicker patients, and many images of pneumothorax show the "
    "drain that treats it: a model may read the view or the tube instead of the disease.",
    "Many patients have several images, some more than a hundred. Images of one patient are not "
    "independent, for which the intervals here allow and the point figures do not.",
    "Adults make up most of the data: about 5% of the images are of patients under 18. The data "
    "set gives age and sex; it says nothing of origin, weight or symptoms, so that fairness "
    "towards such groups cannot be examined at all.",
)

PHANTOM_LIMITS = (
    "The images are a phantom's: a program drew them, and no picture shows a patient.",
    "The labels are what was drawn, so none is wrong, and findings are easier to see than disease "
    "is. No figure here says how a model does on radiographs.",
)

OTHER_LIMITS = (
    "How the labels were made is not known to this report, and so not what agreement with them is "
    "worth.",
    "Whether the images are like those of any other place is not known to this report.",
)

ETHICS = (
    "Anyone who uses a score without its interval, its prevalence and its threshold will be "
    "misled.",
)

ETHICS_OF_PATIENTS = (
    "Models of this kind have been found to miss disease more often in women, in the young and in "
    "under-served patients (Seyyed-Kalantari et al., Nature Medicine 2021; 27:2176-2182). A good "
    "mean does not exclude this: read the subgroups.",
    "The images are of real patients. They were published without names; do not try to find out "
    "who they are, and do not link them with other records.",
    *ETHICS,
)

NEVER_KNOWN = (
    "who trained the model, and under which licence its weights may be used",
    "how it does at another hospital, on other machines, or today",
    "whether radiologists who see its scores decide better or worse",
)
