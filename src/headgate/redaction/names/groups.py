"""What people are called by their nation, their faith or their party."""

from __future__ import annotations

WORDS = """
afghan albanian algerian american andorran angolan argentine argentinian armenian australian austrian azerbaijani
bahamian bahraini bangladeshi barbadian basque bavarian belarusian belgian belizean beninese bhutanese bolivian
bosnian botswanan brazilian breton british bruneian bulgarian burkinabe burmese burundian cambodian cameroonian
canadian catalan chadian chechen chilean chinese colombian comorian congolese corsican croatian cuban cypriot czech
danish djiboutian dominican dutch ecuadorian egyptian emirati english eritrean estonian ethiopian faroese fijian
filipino finnish flemish french gabonese galician gambian georgian german ghanaian greek greenlander grenadian
guatemalan guinean guyanese haitian hawaiian honduran hungarian icelandic indian indonesian iranian iraqi irish
israeli italian ivorian jamaican japanese jordanian kazakh kenyan korean kosovar kurdish kuwaiti kyrgyz laotian
latvian lebanese liberian libyan liechtensteiner lithuanian luxembourgish macedonian malagasy malawian malaysian
maldivian malian maltese mauritanian mauritian mexican moldovan mongolian montenegrin moroccan mozambican namibian
nepalese nepali nicaraguan nigerian nigerien norwegian omani pakistani palestinian panamanian paraguayan persian
peruvian polish portuguese qatari romanian russian rwandan salvadoran samoan sardinian saudi scottish senegalese
serbian seychellois sicilian singaporean slovak slovakian slovene slovenian somali spanish sudanese surinamese swazi
swedish swiss syrian taiwanese tajik tanzanian thai tibetan togolese tongan trinidadian tunisian turkish turkmen
ugandan ukrainian uruguayan uzbek venezuelan vietnamese welsh yemeni zambian zimbabwean african asian european
hispanic latino latina caucasian arab roma scandinavian americans australians austrians belgians brazilians britons
canadians croats czechs danes egyptians ethiopians finns germans greeks hungarians indians iranians iraqis israelis
italians kenyans koreans kurds mexicans moroccans nigerians norwegians pakistanis palestinians poles romanians
russians saudis scots serbs slovaks somalis spaniards swedes syrians thais turks ukrainians buddhist catholic
christian evangelical hindu jain jewish lutheran methodist mormon muslim orthodox protestant presbyterian quaker shia
shiite sikh sunni baptist anglican atheist agnostic zoroastrian rastafarian buddhists catholics christians hindus jews
mormons muslims protestants sikhs shiites sunnis baptists atheists republican republicans democrat democrats communist
communists socialist socialists tory tories conservative libertarian español española francés francesa alemán alemana
inglés inglesa italiano italiana portugués portuguesa mexicano mexicana argentino argentina colombiano colombiana
venezolano venezolana peruano peruana chileno chilena ecuatoriano ecuatoriana boliviano boliviana cubano cubana
marroquí rumano rumana católico católica musulmán musulmana judío judía deutscher deutsche österreicher österreicherin
schweizer schweizerin türke türkin franzose französin italiener italienerin katholisch evangelisch muslimisch jüdisch
français française allemand allemande anglais anglaise espagnol espagnole italien italienne marocain marocaine
algérien algérienne tunisien tunisienne catholique musulman musulmane juif juive
"""
GROUPS = frozenset(WORDS.split())
