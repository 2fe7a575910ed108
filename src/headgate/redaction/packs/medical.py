"""Health: records and plans of patients; diagnoses and drugs, where they are asked for."""

from headgate.redaction import checks
from headgate.redaction.labels import IDENTIFIER, labelled
from headgate.redaction.pattern import Pattern, words

DIAGNOSES = (
    r"diabet(?:es|ic)(?: mellitus)?(?: type (?:1|2|i{1,2}))?|hypertension|hypercholesterol(?:a)?emia|hyperlipid(?:a)?emia|asthma|copd|"
    r"chronic obstructive pulmonary disease|pneumonia|tuberculosis|bronchitis|emphysema|cystic fibrosis|covid-?19|influenza|sepsis|"
    r"hiv(?:[ -]positive)?|aids|hepatitis(?: [abc])?|syphilis|gonorrh(?:o)?ea|chlamydia|herpes|hpv|malaria|lyme disease|meningitis|"
    r"(?:breast|lung|prostate|colon|colorectal|ovarian|pancreatic|cervical|skin|thyroid|bladder|liver|brain) cancer|"
    r"leuk(?:a)?emia|lymphoma|melanoma|carcinoma|sarcoma|glioblastoma|metastas[ei]s|tumou?r|myeloma|"
    r"myocardial infarction|heart attack|heart failure|angina|arrhythmia|atrial fibrillation|coronary artery disease|stroke|aneurysm|"
    r"thrombosis|pulmonary embolism|an(?:a)?emia|h(?:a)?emophilia|sickle cell(?: disease)?|"
    r"depression|major depressive disorder|bipolar(?: disorder)?|schizophrenia|anxiety disorder|panic disorder|ptsd|"
    r"post-traumatic stress disorder|ocd|obsessive[- ]compulsive disorder|adhd|autism(?: spectrum disorder)?|anorexia(?: nervosa)?|bulimia|"
    r"borderline personality disorder|dementia|alzheimer(?:['’]?s)?(?: disease)?|parkinson(?:['’]?s)?(?: disease)?|multiple sclerosis|epilepsy|"
    r"migraine|huntington(?:['’]?s)?(?: disease)?|als|cerebral palsy|neuropathy|"
    r"cirrhosis|crohn(?:['’]?s)?(?: disease)?|ulcerative colitis|celiac disease|irritable bowel syndrome|gerd|pancreatitis|appendicitis|gastritis|"
    r"chronic kidney disease|renal failure|kidney failure|nephritis|kidney stones|"
    r"rheumatoid arthritis|osteoarthritis|osteoporosis|lupus|fibromyalgia|gout|psoriasis|eczema|"
    r"hypothyroidism|hyperthyroidism|graves(?:['’])?(?: disease)?|addison(?:['’]?s)?(?: disease)?|cushing(?:['’]?s)?(?: syndrome)?|obesity|"
    r"endometriosis|pcos|miscarriage|ectopic pregnancy|preeclampsia|infertility|erectile dysfunction|"
    r"glaucoma|cataracts?|macular degeneration|down syndrome|substance (?:abuse|use disorder)|alcohol(?:ism| use disorder)|opioid use disorder"
)
DRUGS = (
    r"abacavir|acetaminophen|acyclovir|adalimumab|albuterol|alendronate|allopurinol|alprazolam|amiodarone|amitriptyline|amlodipine|amoxicillin|"
    r"amphetamine|apixaban|aripiprazole|aspirin|atenolol|atomoxetine|atorvastatin|azathioprine|azithromycin|baclofen|bictegravir|bisoprolol|"
    r"budesonide|buprenorphine|bupropion|buspirone|canagliflozin|candesartan|captopril|carbamazepine|carvedilol|cefalexin|cephalexin|cetirizine|"
    r"ciprofloxacin|citalopram|clindamycin|clonazepam|clonidine|clopidogrel|clozapine|codeine|colchicine|cyclophosphamide|dabigatran|dapagliflozin|"
    r"darunavir|dexamethasone|diazepam|diclofenac|digoxin|diltiazem|dolutegravir|donepezil|doxycycline|duloxetine|efavirenz|empagliflozin|"
    r"emtricitabine|enalapril|enoxaparin|escitalopram|esomeprazole|estradiol|eszopiclone|etanercept|ezetimibe|famotidine|fentanyl|finasteride|"
    r"fluconazole|fluoxetine|fluticasone|furosemide|gabapentin|glimepiride|glipizide|haloperidol|heparin|hydralazine|hydrochlorothiazide|"
    r"hydrocodone|hydrocortisone|hydroxychloroquine|hydroxyzine|ibuprofen|imatinib|infliximab|insulin(?: glargine| lispro| aspart)?|ipratropium|"
    r"irbesartan|isosorbide|isotretinoin|ketamine|labetalol|lamivudine|lamotrigine|lansoprazole|latanoprost|letrozole|levetiracetam|levodopa|"
    r"levofloxacin|levothyroxine|linagliptin|liraglutide|lisdexamfetamine|lisinopril|lithium|loperamide|loratadine|lorazepam|losartan|lovastatin|"
    r"meloxicam|memantine|metformin|methadone|methotrexate|methylphenidate|methylprednisolone|metoclopramide|metoprolol|metronidazole|"
    r"mirtazapine|misoprostol|montelukast|morphine|mycophenolate|naloxone|naltrexone|naproxen|nifedipine|nitrofurantoin|nitroglycerin|"
    r"nortriptyline|olanzapine|olmesartan|omeprazole|ondansetron|oseltamivir|oxcarbazepine|oxycodone|paliperidone|pantoprazole|paracetamol|"
    r"paroxetine|penicillin|pioglitazone|pramipexole|pravastatin|prazosin|prednisolone|prednisone|pregabalin|promethazine|propranolol|quetiapine|"
    r"quinapril|raltegravir|ramipril|ranitidine|risperidone|ritonavir|rituximab|rivaroxaban|rosuvastatin|salbutamol|semaglutide|sertraline|"
    r"sildenafil|simvastatin|sitagliptin|spironolactone|sumatriptan|tacrolimus|tadalafil|tamoxifen|tamsulosin|temazepam|tenofovir|terbinafine|"
    r"tirzepatide|topiramate|tramadol|trastuzumab|trazodone|valacyclovir|valproate|valsartan|vancomycin|varenicline|venlafaxine|verapamil|"
    r"warfarin|zidovudine|ziprasidone|zolpidem"
)
"""International nonproprietary names of what is prescribed most."""
PATTERNS = (
    Pattern("medical_record", r"(?i)\bMRN[\"']?[-:# ]{1,3}(?:[A-Z]{1,6}-)?\d[\d-]{3,12}\b|\bmedical record (?:no\.?|number|#)[ :#]{0,3}\d[\d-]{3,12}\b", None, 0.95),
    labelled("medical_record", r"mrn|medical (?:record|file|chart)|patient(?: id(?:entifier)?| record| chart| file| no| number|mrn)|chart|hospital (?:no|number|id)|patientenummer|patientennummer|fallnummer|numéro de patient", IDENTIFIER, checks.identifier),
    labelled("health_plan", r"(?:health |medical |patient )?insurance(?: policy| plan)?(?: id| no\.?| number| code| card)+|(?:health ?plan|policy|member|subscriber|beneficiary)(?: id| no\.?| number)+|versichertennummer|krankenkassennummer", IDENTIFIER, checks.identifier),
    Pattern("health_plan", r"\b[A-Z]\d{9}\b", None, 0.1, words("versichertennummer|krankenkasse|kvnr|gesundheitskarte|egk")),
    Pattern("diagnosis", r"\b[A-TV-Z]\d[0-9AB](?:\.[0-9A-Z]{1,4})?\b", checks.mixed, 0.1, words("icd|icd 10|diagnosis|diagnoses|diagnose|diagnosed|dx|diagnóstico|diagnostic")),
    Pattern("diagnosis", rf"(?i)\b(?:{DIAGNOSES})\b", None, 0.7),
    Pattern("drug", rf"(?i)\b(?:{DRUGS})\b(?:[ -]\d+(?:\.\d+)? ?(?:mg|mcg|µg|g|ml|iu|units)\b)?", None, 0.7),
)  # fmt: skip
GROUPS = {"health": ("medical_record", "health_plan", "diagnosis", "drug")}
OPTIONAL = frozenset({"diagnosis", "drug"})
"""Who asks what a disease is need not have it."""
