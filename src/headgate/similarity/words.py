"""What is known of single words: which say little, which count or measure or deny, and which exclude each other."""

from __future__ import annotations

from functools import lru_cache

LITTLE = """
a an the and or but so of in on at by for with as is are was were be been being am do does did doing done have has had
having i im me my mine we us our ours you your yours he him his she her hers it its itself they them their theirs this
that these those there here then will would can could should may might must shall ll ve re d s m t if else than both
what which how who whom whose when where why whether please kindly just also too very really quite exactly actually
basically simply possible possibly able want need like would know tell show give help let hi hello hey thanks thank ok
okay such upon about into onto from to up out off over way thing stuff something anything someone anyone somebody
anybody one ones get got go going gone went try use used using question wonder information info detail condition yes
well now today current currently present presently while still employ utilize utilise provide supply offer allow enable
permit contain include consist exist available serve perform carry conduct compute calculate say step obtain find locate
specific specify certain particular various additional extra follow instance example mean order via through
refer regard make need
"""
"""They may stand on one side only. What some of them say, as directions and questions do, is compared by itself."""

DOING = """
want need like tell show give help get go try use contain include find locate follow make offer
"""
"""Of these, those that say much where they do not stand for what is asked, but for what somebody does."""

IRREGULAR = """
gone:go went:go goes:go does:do ups:up ids:id sent:send paid:pay bought:buy made:make lost:lose broke:break broken:break took:take taken:take
found:find gave:give given:give wrote:write written:write came:come saw:see seen:see kept:keep held:hold left:leave
told:tell said:say knew:know known:know thought:think brought:bring built:build began:begin begun:begin chose:choose
chosen:choose drove:drive driven:drive ate:eat eaten:eat fell:fall fallen:fall felt:feel flew:fly flown:fly
forgot:forget forgotten:forget froze:freeze frozen:freeze grew:grow grown:grow heard:hear hid:hide hidden:hide
led:lead lent:lend meant:mean met:meet ran:run sold:sell shown:show slept:sleep spoke:speak spoken:speak spent:spend
stole:steal stolen:steal stood:stand swam:swim taught:teach threw:throw thrown:throw understood:understand won:win
men:man women:woman children:child feet:foot teeth:tooth mice:mouse lives:life wives:wife knives:knife
analyses:analysis indices:index matrices:matrix vertices:vertex criteria:criterion better:good best:good usa:us
"""

NEGATIONS = """
not no never without none nobody nothing nowhere neither nor cannot cant dont doesnt didnt isnt arent wasnt werent wont
wouldnt couldnt shouldnt havent hasnt hadnt unable lack lacks lacking except unless hardly barely
nicht kein keine keinen keinem keiner nie niemals ohne ne pas jamais sans aucun aucune nunca jamás sin ningún ninguna
"""

ASKED = "why when where who whom whose warum wann wo wer pourquoi quand où qui cuándo dónde quién"
"""Questions to which an answer to another of them is none."""
AMOUNTS = "many much long often old far fast big high tall deep heavy soon"
"""Behind `how` they are such questions, too."""

WHETHER = "can could is are do does did will would should may must has have was were"
"""A text that begins with one of them is answered by yes or no, but for `can you`."""
MODALS = "can could will would must should may"

DIRECTIONS = "from to into onto than"
"""Two things that change places around one of these are not what they were."""

NUMBERS = """
0:zero,null,cero,zéro 2:two,zwei,deux,dos 3:three,third,drei,trois,tres 4:four,fourth,vier,quatre,cuatro
5:five,fifth,fünf,cinq,cinco 6:six,sixth,sechs,seis 7:seven,seventh,sieben,sept,siete 8:eight,eighth,acht,huit,ocho
9:nine,ninth,neun,neuf,nueve 10:ten,tenth,zehn,dix,diez 11:eleven,eleventh,elf,onze 12:twelve,twelfth,zwölf,douze,doce
13:thirteen,dreizehn,treize,trece 14:fourteen,vierzehn,quatorze,catorce 15:fifteen,fünfzehn,quinze,quince
16:sixteen,sechzehn,seize 17:seventeen,siebzehn 18:eighteen,achtzehn 19:nineteen,neunzehn
20:twenty,zwanzig,vingt,veinte 30:thirty,dreißig,trente,treinta 40:forty,vierzig,quarante,cuarenta
50:fifty,fünfzig,cinquante,cincuenta 60:sixty,sechzig,soixante,sesenta 70:seventy,siebzig,septante,setenta
80:eighty,achtzig,huitante,ochenta 90:ninety,neunzig,nonante,noventa 100:hundred,hundert,cien,ciento
1000:thousand,tausend,mille,mil 1000000:million,millionen,millón,millones
1000000000:billion,milliarde,milliarden,milliard 1000000000000:trillion
"""
BEHIND = {"k": 1000, "mio": 10**6, "bn": 10**9, "mrd": 10**9}
"""Letters written right behind a number."""

UNITS = """
%,percent,pct,prozent $,usd,dollar,dólar €,eur,euro £,gbp,pound,pounds,sterling ¥,jpy,yen ₹,inr,rupee chf,franken
km,kilometer,kilometre,kilómetro mile,mi,meile,milla meter,metre,mètre,metro cm,centimeter,centimetre
mm,millimeter,millimetre inch,inches,zoll foot,ft yard,yd kg,kilo,kilogram,kilogramm g,gram,gramm mg,milligram
µg,mcg,microgram lb,lbs ounce,oz ton,tonne,t liter,litre,l ml,milliliter,millilitre gallon °c,celsius °f,fahrenheit
kelvin second,sec,s,sekunde,sekunden minute,min,minuten hour,hr,h,stunde,stunden,heure,hora day,tag,tage,tagen,jour,día
week,woche,wochen,semaine,semana month,monat,monate,monaten,mois,mes,meses year,yr,jahr,jahre,jahren,an,ans,año
ms,millisecond kb,kilobyte mb,megabyte gb,gigabyte tb,terabyte bit byte mph kmh,km/h watt,w kw,kilowatt kwh volt,v
hz,hertz mhz ghz degree,grad,° am,a.m pm,p.m px,pixel calorie,kcal cent
"""
"""The first of each is what it is called here. All count beside a number;"""
MEASURES = "% $ € £ ¥ ₹ chf km mile cm mm kg mg µg lb gallon °c °f kelvin liter kb mb gb tb"
"""these do wherever they are."""

MONTHS = """
january,jan,januar,janvier,enero february,feb,februar,février,febrero march,mar,märz,mars,marzo april,apr,avril,abril
may,mai,mayo june,jun,juni,juin,junio july,jul,juli,juillet,julio august,aug,août,agosto
september,sep,sept,septembre,septiembre october,oct,oktober,octobre,octubre november,nov,novembre,noviembre
december,dec,dezember,décembre,diciembre
monday,mon,montag,lundi,lunes tuesday,tue,tues,dienstag,mardi,martes wednesday,wed,mittwoch,mercredi,miércoles
thursday,thu,thurs,donnerstag,jeudi,jueves friday,fri,freitag,vendredi,viernes saturday,sat,samstag,samedi,sábado
sunday,sun,sonntag,dimanche,domingo
yesterday,gestern,hier,ayer tomorrow,morgen,demain,mañana tonight morning,vormittag,matin evening,abend,soir noon midnight
next,nächste,nächsten,prochain,prochaine,próximo last,previous,letzte,letzten,dernier,dernière,último ago
"""
DOUBTFUL = "may march mar mars jan jun sun sat mon wed dec sep mai an hier"
"""Times only in capitals, within a sentence, or beside a number: they are other words, too."""

OPPOSED = """
all every each|any|some several few certain|most
my mine our|your|his|her|their
he him his man men male boy father son brother husband|she her woman women female girl mother daughter sister wife
adult|child baby infant toddler newborn kid|elderly senior|pregnant|teenager adolescent
cat|dog
increase raise grow rise|decrease lower reduce drop fall decline
up|down
in|out
on|off
before|after
above over|below under
inside|outside
more|less fewer
most maximum max highest largest biggest longest greatest|least minimum min lowest smallest shortest
first|second|third|last
big large|small little tiny
fast quick|slow
hot warm|cold cool
open|close shut
enable activate|disable deactivate
install|uninstall remove
add|remove subtract delete
allow permit|deny forbid block
encrypt|decrypt
encode|decode
import|export
upload|download
push|pull
send|receive
buy purchase|sell
borrow|lend
deposit|withdraw withdrawal
login|logout
start begin|stop end finish
create|delete destroy
accept|reject decline
lock|unlock
mount|unmount
advantage pro benefit|disadvantage con drawback
cause|effect symptom|treatment cure|prevention
import|export
input|output
source|target
client|server
public|private
read|write
win|lose
pass|fail
true|false
right|wrong left
good|bad evil
safe|unsafe dangerous
legal|illegal
possible|impossible
always|sometimes|never
north|south|east|west
red|blue|green|yellow|black|white|orange|purple|brown|grey gray|pink
english englisch anglais inglés|french französisch français francés|german deutsch allemand alemán|spanish spanisch espagnol español|italian italienisch italien italiano|portuguese portugiesisch portugais portugués|dutch|polish|czech|swedish|danish|norwegian|finnish|greek|turkish|russian russisch russe ruso|ukrainian|arabic|hebrew|hindi|chinese mandarin chinesisch chinois chino|japanese japanisch japonais japonés|korean|thai|vietnamese|indonesian|latin
python|javascript|typescript|java|rust|go golang|ruby|php|perl|kotlin|swift|scala|haskell|bash|powershell|sql
json|yaml|xml|csv|toml|html|markdown
breakfast|lunch|dinner
summer|winter|spring|autumn fall
"""
"""Words of a line exclude each other, but for those that stand together."""

PERSONS = "i,me,my,mine,we,us,our you,your he,him,his she,her,hers they,them,their"
"""Who does what to whom: two of them do not change places where one is a third."""
THIRD = frozenset(("he", "she", "they"))

PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "anti", "de")
"""Before a word they turn it round."""


ENDED = (
    ("iness", "y"), ("ingly", ""), ("ings", ""), ("ing", ""), ("ies", "y"), ("ied", "y"), ("edly", ""), ("eed", "ee"),
    ("ed", ""), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ss", "ss"), ("us", "us"), ("is", "is"),
    ("s", ""), ("ily", "y"), ("ly", ""),
)  # fmt: skip
"""Endings of forms, and what stands in their place."""
LONG = 30
"""Characters from which on a word is taken as it is."""
FORMS = dict(pair.split(":") for pair in IRREGULAR.split())


def stem(word: str) -> str:
    """One for all forms of an English word, mostly; a word of another language keeps more of its forms apart."""
    return _stem(word) if len(word) < LONG else word


@lru_cache(maxsize=1 << 14)
def _stem(word: str) -> str:
    word = FORMS.get(word, word)
    if len(word) < 4 or not word.isascii():
        return word
    for ending, instead in ENDED:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word
