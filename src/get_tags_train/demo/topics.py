"""The words of the embedded example: what documents about each tag speak of, and what all of them share.

Pure data. Phrases are separated by ` | `; demo.py fills in {date}, {period}, {term}, {sum}, {pct}, {nr}, {ref}
and {town}.
"""

from typing import NamedTuple


class Topic(NamedTuple):
    """The phrases of one tag; they fit the FRAMES below in any combination.

    who: subjects, singular and definite. must: what they must do, beginning with "să". about: noun phrases.
    fact: whole clauses. near: tags that often stand on the same document.
    """

    near: tuple[str, ...]
    who: str
    must: str
    about: str
    fact: str


# From the most frequent tag to the rarest: the order sets how often each one is drawn.
TOPICS: dict[str, Topic] = {
    "raporturi de muncă": Topic(
        near=("pensii și asigurări sociale", "funcționari publici", "procedură civilă", "servicii medicale"),
        who="""angajatorul | conducerea societății angajatoare | directorul de resurse umane | patronul |
        unitatea angajatoare""",
        must="""să încheie contractul individual de muncă în formă scrisă | să acorde preavizul prevăzut de
        codul muncii | să plătească drepturile salariale restante | să respecte durata normală a timpului de
        lucru | să organizeze cercetarea disciplinară prealabilă | să reintegreze salariatul pe postul
        deținut anterior | să compenseze orele suplimentare cu timp liber | să înregistreze contractul în
        registrul de evidență a salariaților""",
        about="""concedierea pentru desființarea postului | acordarea concediului de odihnă | salariul de
        bază și sporurile cuvenite | negocierea contractului colectiv | munca de noapte și munca suplimentară
        | suspendarea contractului individual la inițiativa salariatului | clauza de neconcurență din
        contractul individual""",
        fact="""salariatul a lipsit nemotivat {term} | decizia de concediere nu cuprinde motivele în fapt |
        postul a fost desființat în urma reorganizării | angajatorul nu a plătit salariile pe ultimele luni |
        salariații au lucrat în zilele de repaus săptămânal | sindicatul nu a fost consultat înainte de
        concedierea colectivă""",
    ),
    "achiziții publice": Topic(
        near=(
            "fonduri europene",
            "administrație publică locală",
            "contencios administrativ",
            "servicii medicale",
        ),
        who="""autoritatea contractantă | comisia de evaluare | entitatea contractantă | responsabilul
        procedurii de atribuire""",
        must="""să publice anunțul de participare | să răspundă la solicitările de clarificări | să ceară
        dovada garanției de participare | să verifice documentul unic de achiziție european | să evalueze
        ofertele pe baza criteriului de atribuire | să ceară justificarea prețului neobișnuit de scăzut | să
        anuleze procedura de atribuire | să solicite prelungirea valabilității ofertei""",
        about="""caietul de sarcini și specificațiile tehnice | valoarea estimată a lotului | cerințele de
        calificare și selecție | acordul-cadru de furnizare | raportul procedurii de atribuire | garanția de
        bună execuție | împărțirea pe loturi a serviciilor | licitația deschisă organizată în sistemul
        electronic""",
        fact="""oferta a fost respinsă ca neconformă | ofertantul nu a dovedit experiența similară | factorii
        de evaluare nu au fost detaliați în documentație | contestația a fost înaintată consiliului de
        soluționare | candidatul se afla într-un caz de excludere | anunțul de atribuire a fost publicat cu
        întârziere""",
    ),
    "impozite și taxe": Topic(
        near=(
            "dreptul societăților",
            "executare silită",
            "infracțiuni economice",
            "contencios administrativ",
        ),
        who="""contribuabilul verificat | plătitorul de impozit | persoana impozabilă înregistrată în scopuri
        de TVA | societatea aflată în inspecție fiscală""",
        must="""să depună declarația fiscală rectificativă | să recalculeze baza de impunere | să conteste
        decizia de impunere | să ceară rambursarea soldului negativ al TVA | să rețină impozitul la sursă |
        să achite accesoriile stabilite prin decizie | să prezinte documentele justificative ale
        cheltuielilor | să păstreze registrele contabile""",
        about="""deductibilitatea cheltuielilor de protocol | taxa pe valoarea adăugată aferentă facturilor |
        impozitul pe profit datorat trimestrial | eșalonarea la plată a obligațiilor fiscale | dobânzile și
        penalitățile de întârziere | prețurile de transfer între persoane afiliate | cota redusă de
        impozitare a veniturilor""",
        fact="""cheltuiala nu este aferentă operațiunilor taxabile | impozitul suplimentar a fost stabilit la
        {sum} | furnizorul a fost declarat inactiv fiscal | dreptul de a stabili creanțe fiscale s-a prescris
        | organul fiscal a refăcut evidența contabilă | facturile nu cuprind codul de identificare fiscală |
        profitul impozabil a fost diminuat nejustificat""",
    ),
    "obligații contractuale": Topic(
        near=("procedură civilă", "cadastru și publicitate imobiliară", "credite și servicii bancare"),
        who="""vânzătorul | cocontractantul | debitorul obligației | prestatorul serviciului | partea aflată
        în culpă""",
        must="""să remedieze viciile ascunse ale bunului | să predea bunul la locul convenit | să plătească
        chiria până la data scadenței | să notifice rezilierea de drept | să suporte clauza penală | să
        restituie avansul primit | să execute întocmai prestația asumată | să garanteze cumpărătorul contra
        evicțiunii""",
        about="""rezoluțiunea vânzării pentru neexecutare | pactul comisoriu stipulat de părți |
        daunele-interese moratorii | forța majoră și cazul fortuit | excepția de neexecutare invocată de
        creditor | cesiunea creanței către un terț | interpretarea clauzelor îndoielnice""",
        fact="""prețul vânzării nu a fost achitat integral | debitorul se afla în întârziere | bunul livrat
        prezenta vicii ascunse | părțile au prevăzut o penalitate de {pct} pe zi de întârziere | acceptarea
        ofertei a ajuns la ofertant după revocare | locatorul nu a asigurat folosința liniștită a
        spațiului""",
    ),
    "procedură civilă": Topic(
        near=("obligații contractuale", "dreptul familiei", "executare silită", "moșteniri"),
        who="""partea citată | apelantul | reclamantul | intervenientul principal | avocatul părții""",
        must="""să timbreze cererea de chemare în judecată | să răspundă la întâmpinare | să comunice copia
        cererii pârâtului | să propună proba cu interogatoriu | să motiveze calea de atac | să ridice
        excepția lipsei calității procesuale | să achite onorariul expertului desemnat | să solicite
        repunerea în termen""",
        about="""competența materială a judecătoriei | termenul de declarare a apelului | autoritatea de
        lucru judecat | suspendarea judecății cauzei | cheltuielile de judecată ocazionate de proces | proba
        cu martori și expertiza judiciară | cererea reconvențională a pârâtului | perimarea cererii de
        recurs""",
        fact="""pârâtul nu a depus întâmpinare | apelul a fost declarat peste termen | hotărârea primei
        instanțe este lovită de nulitate | citația a fost înmânată cu vicii de procedură | instanța a respins
        proba testimonială | recursul nu se încadrează în motivele de casare""",
    ),
    "administrație publică locală": Topic(
        near=("urbanism și construcții", "achiziții publice", "contencios administrativ", "învățământ"),
        who="""primarul | consiliul local | secretarul general al comunei | consiliul județean | viceprimarul
        delegat""",
        must="""să convoace ședința ordinară | să supună la vot proiectul de hotărâre | să aprobe bugetul
        local | să administreze domeniul public al comunei | să comunice hotărârea prefectului | să asigure
        iluminatul public și salubrizarea | să constate încetarea mandatului de consilier | să organizeze
        dezbaterea publică a proiectului""",
        about="""darea în administrare a unui imobil din domeniul privat | organigrama aparatului de
        specialitate | rectificarea bugetului local | concesionarea unui teren al orașului | regulamentul de
        funcționare a consiliului | asocierea intercomunitară cu localitățile vecine | înfrățirea cu o
        localitate din străinătate""",
        fact="""consilierii locali nu au întrunit cvorumul | proiectul a fost avizat de comisia de
        specialitate | hotărârea a fost adoptată cu majoritate simplă | primarul a emis dispoziția fără
        contrasemnătură | imobilul face parte din inventarul domeniului public | mandatul alesului local a
        încetat înainte de termen""",
    ),
    "protecția datelor": Topic(
        near=("raporturi de muncă", "servicii medicale", "credite și servicii bancare"),
        who="""operatorul de date | împuternicitul operatorului | responsabilul desemnat pentru
        confidențialitate | operatorul asociat""",
        must="""să obțină consimțământul persoanei vizate | să notifice încălcarea securității | să șteargă
        datele cu caracter personal | să țină evidența activităților de prelucrare | să realizeze evaluarea
        de impact | să pseudonimizeze înregistrările | să informeze despre scopul prelucrării | să limiteze
        perioada de stocare""",
        about="""prelucrarea datelor biometrice | dreptul de acces al persoanei vizate | transferul datelor
        către o țară terță | supravegherea video în spațiile comune | interesul legitim al operatorului |
        portabilitatea și rectificarea informațiilor personale | politica privind modulele cookie""",
        fact="""consimțământul nu a fost liber exprimat | datele personale au fost dezvăluite unor
        destinatari neautorizați | camera de supraveghere înregistra continuu | baza de date nu era criptată
        | operatorul nu a răspuns cererii de acces | prelucrarea nu avea temei legal""",
    ),
    "dreptul familiei": Topic(
        near=("procedură civilă", "moșteniri", "servicii medicale"),
        who="""părintele nerezident | tatăl pârât | mama pârâtă | soțul reclamant | fostul soț""",
        must="""să plătească pensia de întreținere | să respecte programul de vizitare a copilului | să
        exercite în comun autoritatea părintească | să contribuie la cheltuielile căsniciei | să permită
        legăturile personale ale bunicilor cu minorul | să asculte copilul care a împlinit zece ani | să
        stabilească locuința minorului""",
        about="""divorțul prin acordul soților | stabilirea filiației față de tată | partajul bunurilor
        comune ale soților | adopția copilului din plasament | interesul superior al copilului | regimul
        comunității legale | ancheta psihosocială la domiciliul părinților""",
        fact="""căsătoria a fost desfăcută din culpa comună | minorul locuiește cu mama | tatăl nu a
        contribuit la creșterea copilului | soții sunt despărțiți în fapt | copilul a fost luat în plasament
        | paternitatea a fost dovedită prin expertiză genetică""",
    ),
    "urbanism și construcții": Topic(
        near=("administrație publică locală", "cadastru și publicitate imobiliară", "patrimoniu cultural"),
        who="""arhitectul-șef | titularul autorizației de construire | dirigintele de șantier | proiectantul
        general | inspectoratul în construcții""",
        must="""să obțină certificatul de urbanism | să respecte regimul de înălțime | să întocmească planul
        urbanistic zonal | să anunțe începerea lucrărilor de execuție | să desființeze construcția ridicată
        fără autorizație | să asigure locurile de parcare | să completeze cartea tehnică a construcției""",
        about="""autorizația de construire a unei locuințe | coeficientul de utilizare a terenului |
        retragerea față de aliniament | recepția la terminarea lucrărilor | consolidarea clădirilor cu risc
        seismic | extinderea intravilanului | documentația tehnică de proiectare""",
        fact="""construcția depășește procentul de ocupare a terenului | lucrările au început fără
        autorizație de construire | fațada a fost modificată față de proiect | planul urbanistic nu a fost
        avizat | structura de rezistență prezintă fisuri | clădirea umbrește imobilul vecin""",
    ),
    "contencios administrativ": Topic(
        near=("administrație publică locală", "funcționari publici", "impozite și taxe"),
        who="""autoritatea emitentă | emitentul actului atacat | instituția pârâtă | prefectul | organul
        colegial emitent""",
        must="""să răspundă plângerii prealabile | să revoce actul administrativ unilateral | să motiveze
        refuzul de soluționare | să suspende executarea actului | să repare paguba produsă prin actul nelegal
        | să comunice informațiile de interes public""",
        about="""anularea actului administrativ individual | excesul de putere al autorității | refuzul
        nejustificat de a rezolva o cerere | cazul bine justificat și paguba iminentă | excepția de
        nelegalitate a actului normativ | plângerea prealabilă adresată emitentului""",
        fact="""actul administrativ nu a fost motivat | plângerea prealabilă a fost respinsă ca tardivă |
        emitentul și-a depășit marja de apreciere | refuzul autorității este nejustificat | actul contestat
        produce efecte iremediabile | interesul legitim public nu a fost dovedit""",
    ),
    "executare silită": Topic(
        near=("procedură civilă", "credite și servicii bancare", "insolvența debitorului"),
        who="""executorul judecătoresc | biroul executorului | executorul delegat | organul de executare""",
        must="""să înființeze poprirea asupra conturilor | să comunice somația debitorului | să evalueze
        imobilul urmărit | să fixeze prețul de pornire a licitației | să distribuie sumele rezultate din
        vânzare | să ridice sechestrul asupra bunurilor mobile | să predea silit imobilul adjudecat""",
        about="""contestația formulată împotriva somației | titlul executoriu învestit potrivit legii |
        poprirea veniturilor din salariu | licitația imobilului sechestrat | onorariul executorului |
        întoarcerea executării | validarea popririi față de terț""",
        fact="""creanța nu era certă, lichidă și exigibilă | somația nu a fost însoțită de titlul executoriu
        | terțul poprit nu a consemnat sumele | publicația de vânzare nu a fost afișată | adjudecatarul nu a
        depus prețul | conturile debitorului au fost indisponibilizate""",
    ),
    "dreptul societăților": Topic(
        near=("insolvența debitorului", "impozite și taxe", "obligații contractuale"),
        who="""administratorul societății | asociatul unic | adunarea generală a acționarilor | cenzorul |
        acționarul minoritar""",
        must="""să convoace adunarea generală a asociaților | să verse aportul la capitalul social | să
        depună situațiile financiare anuale | să înregistreze mențiunea la registrul comerțului | să
        răscumpere părțile sociale | să distribuie dividendele cuvenite""",
        about="""majorarea capitalului social | cesiunea părților sociale | excluderea asociatului | fuziunea
        prin absorbție a două societăți | răspunderea administratorului față de societate | actul constitutiv
        actualizat | dizolvarea și lichidarea voluntară""",
        fact="""acționarii nu au fost convocați potrivit statutului | asociatul nu și-a vărsat aportul |
        dividendele au fost repartizate din profitul net | sediul social a fost mutat | administratorul s-a
        aflat în conflict de interese | capitalul social a scăzut sub minimul legal""",
    ),
    "pensii și asigurări sociale": Topic(
        near=("raporturi de muncă", "servicii medicale"),
        who="""casa teritorială de pensii | comisia de pensionare | medicul expert al asigurărilor |
        serviciul de evidență a asiguraților""",
        must="""să recalculeze punctajul mediu anual | să valorifice adeverința de grupă | să emită decizia
        de pensionare | să recupereze prestația încasată necuvenit | să programeze revizuirea capacității de
        muncă a pensionarului | să indexeze cuantumul prestației""",
        about="""stagiul de cotizare realizat în grupa a doua | reducerea vârstei standard | pensia de
        invaliditate de gradul trei | indemnizația pentru incapacitate temporară | contribuția datorată
        fondului public | pensia de urmaș a copilului aflat la studii""",
        fact="""stagiul complet de cotizare nu a fost împlinit | carnetul de muncă cuprinde mențiuni neclare
        | punctajul a fost greșit determinat | pensionarul a continuat activitatea | adeverința a fost
        eliberată de deținătorul arhivei | asiguratul și-a pierdut jumătate din capacitatea de muncă""",
    ),
    "protecția consumatorilor": Topic(
        near=("credite și servicii bancare", "obligații contractuale"),
        who="""comerciantul | importatorul | agentul turistic | vânzătorul de produse electrocasnice |
        magazinul online""",
        must="""să afișeze prețul pe unitatea de măsură | să repare gratuit produsul defect | să retragă de
        pe raft alimentele expirate | să ramburseze contravaloarea produsului returnat | să eticheteze
        produsul în limba română | să se abțină de la practici comerciale înșelătoare""",
        about="""garanția legală de conformitate | dreptul de retragere din contractul la distanță | clauzele
        abuzive din contractele de adeziune | publicitatea înșelătoare din magazine | reclamația privind
        pachetul de vacanță | siguranța jucăriilor vândute""",
        fact="""produsul s-a defectat în perioada de garanție | eticheta nu indica termenul de valabilitate |
        consumatorul a returnat coletul | reducerea anunțată era fictivă | magazinul online nu afișa datele
        de contact | clauza nu a fost negociată direct cu consumatorul""",
    ),
    "cadastru și publicitate imobiliară": Topic(
        near=("urbanism și construcții", "moșteniri", "agricultură și fond funciar"),
        who="""proprietarul tabular | inginerul topograf | uzucapantul | coproprietarul terenului""",
        must="""să înscrie dreptul de proprietate în cartea funciară | să întocmească planul de amplasament |
        să dezlipească imobilul în două loturi | să ceară radierea ipotecii | să rectifice suprafața din
        măsurători | să grănițuiască proprietățile învecinate""",
        about="""încheierea de intabulare | servitutea de trecere către drum | revendicarea terenului ocupat
        | soluția registratorului de la oficiul de cadastru | uzucapiunea de lungă durată | numărul cadastral
        al apartamentului | linia de hotar dintre loturi | notarea litigiului în cartea funciară""",
        fact="""suprafața măsurată diferă de cea din acte | imobilul este grevat de sarcini | intabularea s-a
        făcut în lipsa titlului | vecinul a mutat gardul | loturile se suprapun în planul cadastral | posesia
        a fost utilă și neîntreruptă""",
    ),
    "protecția mediului": Topic(
        near=("urbanism și construcții", "agricultură și fond funciar"),
        who="""agenția de mediu | titularul autorizației integrate | garda de mediu | operatorul depozitului
        de deșeuri | generatorul de deșeuri""",
        must="""să colecteze separat deșeurile | să monitorizeze emisiile în atmosferă | să epureze apele
        uzate | să refacă solul contaminat | să contribuie la fondul de mediu | să reducă zgomotul produs de
        instalație | să protejeze speciile sălbatice""",
        about="""evaluarea impactului asupra ariei naturale protejate | gestionarea ambalajelor reciclabile |
        calitatea aerului din zona industrială | certificatele de emisii de gaze cu efect de seră | tăierile
        ilegale de arbori | poluarea cursului de apă""",
        fact="""apele uzate au fost deversate în râu | concentrația de pulberi depășea limita | deșeurile
        periculoase au fost depozitate pe sol | habitatul a fost degradat | instalația funcționa fără
        autorizație integrată | arborii au fost tăiați fără marcare""",
    ),
    "insolvența debitorului": Topic(
        near=("dreptul societăților", "executare silită", "credite și servicii bancare"),
        who="""administratorul judiciar | lichidatorul judiciar | practicianul desemnat | administratorul
        concordatar""",
        must="""să întocmească tabelul definitiv al creanțelor | să propună planul de reorganizare | să
        valorifice bunurile din averea debitoarei | să verifice declarațiile de creanță | să denunțe
        contractele păguboase | să convoace creditorii înscriși la masa credală""",
        about="""deschiderea procedurii generale | intrarea în faliment | atragerea răspunderii organelor de
        conducere | anularea transferurilor frauduloase | votul pe categorii de creanțe | remunerația
        practicianului | concordatul preventiv""",
        fact="""creditorii nu au votat planul | declarația de creanță a fost depusă după termenul limită |
        debitoarea nu și-a putut plăti datoriile scadente | activul a fost vândut prin negociere directă |
        masa credală a fost modificată | lichidatorul a depus raportul final""",
    ),
    "servicii medicale": Topic(
        near=("protecția datelor", "raporturi de muncă"),
        who="""medicul curant | spitalul județean | furnizorul de servicii de sănătate | secția clinică |
        unitatea sanitară""",
        must="""să obțină acordul informat al pacientului | să elibereze biletul de trimitere | să deconteze
        medicamentele compensate | să consemneze tratamentul în foaia de observație | să asigure linia de
        gardă | să respecte protocolul terapeutic""",
        about="""malpraxisul invocat de pacient | internarea de urgență | dispozitivele destinate recuperării
        | programul național de oncologie | acreditarea unităților sanitare | rețeta electronică | costul
        spitalizării de zi""",
        fact="""diagnosticul a fost pus cu întârziere | intervenția chirurgicală a produs complicații |
        pacientul nu a fost informat asupra riscurilor | secția nu avea medici specialiști | medicamentul nu
        figura pe lista compensată | infecția a fost contractată în spital""",
    ),
    "credite și servicii bancare": Topic(
        near=("protecția consumatorilor", "executare silită", "obligații contractuale"),
        who="""banca | creditorul ipotecar | instituția financiară nebancară | sucursala bancară | ofițerul
        de credite""",
        must="""să recalculeze dobânda variabilă | să restituie comisionul de administrare | să emită
        graficul de rambursare | să declare scadența anticipată | să execute ordinul de plată | să raporteze
        restanța la biroul de credit""",
        about="""dobânda anuală efectivă | conversia împrumutului acordat în franci elvețieni | ipoteca
        imobiliară constituită în favoarea băncii | rambursarea anticipată | tranzacția neautorizată cu
        cardul | ratele lunare restante""",
        fact="""împrumutatul nu a plătit trei rate consecutive | marja dobânzii a fost majorată unilateral |
        cardul a fost folosit fraudulos | comisionul de risc nu era definit | banca a cesionat portofoliul |
        cursul francului a crescut cu {pct}""",
    ),
    "funcționari publici": Topic(
        near=("raporturi de muncă", "contencios administrativ", "administrație publică locală"),
        who="""conducătorul instituției | funcționarul de conducere | ordonatorul de credite | șeful de
        serviciu""",
        must="""să depună declarația de avere | să evalueze performanțele profesionale individuale | să
        scoată la concurs funcția vacantă | să propună sancțiunea disciplinară | să respecte regimul
        incompatibilităților | să acorde gradația corespunzătoare vechimii""",
        about="""eliberarea din funcția de conducere | promovarea în gradul profesional superior | detașarea
        la o altă instituție | salarizarea personalului plătit din fonduri publice | avertismentul aplicat de
        comisia de disciplină | proba interviului la concurs""",
        fact="""funcția a fost reorganizată | calificativul acordat a fost nesatisfăcător | candidatul nu
        avea vechimea în specialitate | raportul de serviciu a încetat | declarația de interese era
        incompletă | comisia de disciplină a fost nelegal constituită""",
    ),
    "moșteniri": Topic(
        near=("dreptul familiei", "cadastru și publicitate imobiliară", "procedură civilă"),
        who="""moștenitorul rezervatar | legatarul universal | soțul supraviețuitor | succesibilul""",
        must="""să accepte succesiunea | să raporteze donația | să ceară certificatul de moștenitor | să
        reducă liberalitățile excesive | să inventarieze bunurile defunctului | să predea legatul""",
        about="""dezbaterea succesiunii | testamentul olograf | rezerva succesorală a descendenților |
        renunțarea la succesiune | masa partajabilă rămasă de la defunct | revocarea legatului cu titlu
        particular""",
        fact="""defunctul a lăsat un testament | succesibilul nu a acceptat în termenul de opțiune | donația
        a încălcat rezerva | moștenitorii nu s-au înțeles asupra loturilor | testamentul nu era datat și
        semnat | succesiunea este vacantă""",
    ),
    "fonduri europene": Topic(
        near=("achiziții publice", "agricultură și fond funciar", "învățământ"),
        who="""beneficiarul finanțării | partenerul de proiect | liderul de parteneriat | managerul de
        proiect""",
        must="""să transmită cererea de rambursare | să respecte bugetul proiectului | să asigure
        vizibilitatea finanțării | să restituie cheltuielile neeligibile | să atingă indicatorii asumați | să
        semneze actul adițional la contractul de finanțare""",
        about="""corecția financiară aplicată | cofinanțarea proprie a proiectului | ghidul solicitantului |
        perioada de durabilitate a investiției | cererea de prefinanțare | programul operațional regional""",
        fact="""cheltuielile au fost declarate neeligibile | indicatorii proiectului nu au fost atinși |
        neregula a fost constatată la fața locului | grantul nerambursabil a fost reziliat | proiectul a
        primit un punctaj mic | grupul țintă nu a fost recrutat""",
    ),
    "învățământ": Topic(
        near=("administrație publică locală", "raporturi de muncă"),
        who="""directorul școlii | inspectoratul școlar | directorul liceului | decanul facultății | senatul
        universității""",
        must="""să încadreze profesorul pe catedră | să aprobe planul de școlarizare | să motiveze absențele
        | să recunoască diploma de licență | să organizeze examenul de bacalaureat | să acorde burse de
        performanță""",
        about="""transferul elevului la altă clasă | gradația de merit a profesorilor | norma didactică de
        predare | admiterea la studii de doctorat | manualele școlare alternative | educația copiilor cu
        cerințe speciale""",
        fact="""profesorul a fost pretransferat | nota la examen a fost contestată | clasa avea prea puțini
        elevi | teza de doctorat era plagiată | studentul a fost exmatriculat | școala nu avea acreditare""",
    ),
    "circulație rutieră": Topic(
        near=("contencios administrativ", "transporturi"),
        who="""conducătorul auto | șoferul începător | motociclistul | petentul | taximetristul""",
        must="""să reducă viteza | să predea permisul de conducere | să acorde prioritate de trecere | să
        oprească la culoarea roșie a semaforului | să completeze constatarea amiabilă | să se supună testării
        alcoolscopice""",
        about="""procesul-verbal de contravenție | suspendarea dreptului de a conduce | viteza înregistrată
        de aparatul radar | punctele de penalizare | despăgubirea pentru avarierea autoturismului |
        verificarea metrologică a cinemometrului""",
        fact="""șoferul a depășit neregulamentar | autoturismul a fost înregistrat cu radarul | pietonul
        traversa prin loc nepermis | petentul nu purta centura | carosabilul era umed | permisul fusese
        reținut de agent""",
    ),
    "agricultură și fond funciar": Topic(
        near=("cadastru și publicitate imobiliară", "fonduri europene"),
        who="""fermierul | arendașul | crescătorul de animale | exploatația agricolă""",
        must="""să lucreze parcela arendată | să declare suprafața cultivată | să ceară titlul pe vechiul
        amplasament | să vaccineze efectivul de bovine | să respecte rotația culturilor | să plătească arenda
        în grâu""",
        about="""reconstituirea dreptului asupra terenului arabil | subvenția pe hectar | exploatația
        pomicolă | despăgubirea pentru secetă | pășunea comunală | identificarea ovinelor și caprinelor""",
        fact="""terenul arabil a fost lăsat necultivat | recolta a fost distrusă de grindină | parcelele
        declarate se suprapun | titlul a fost emis pe alt amplasament | turma nu era înregistrată |
        arendatorul a cerut arenda în natură""",
    ),
    "infracțiuni economice": Topic(
        near=("impozite și taxe", "dreptul societăților"),
        who="""procurorul de caz | organul de urmărire penală | judecătorul de drepturi și libertăți |
        ofițerul de poliție judiciară""",
        must="""să dispună trimiterea în judecată | să instituie sechestrul asigurător | să confiște bunul
        dobândit ilicit | să recupereze prejudiciul cauzat | să audieze martorii acuzării | să încuviințeze
        percheziția""",
        about="""evaziunea săvârșită prin firme fantomă | delapidarea din gestiune | darea și luarea de mită
        | spălarea banilor | abuzul în serviciu | acordul de recunoaștere a vinovăției""",
        fact="""inculpatul a emis facturi fictive | prejudiciul a fost estimat la {sum} | banii au fost
        retrași în numerar | mita a fost primită prin intermediar | inculpatul a recunoscut fapta | fapta nu
        este prevăzută de legea penală""",
    ),
    "regimul străinilor": Topic(
        near=("raporturi de muncă", "dreptul familiei"),
        who="""inspectoratul pentru imigrări | ofițerul de migrație | poliția de frontieră | direcția de
        azil""",
        must="""să prelungească permisul de ședere | să dispună părăsirea teritoriului | să acorde protecție
        subsidiară | să verifice viza de lungă ședere | să asigure interpretul la interviu | să aplice
        interdicția de intrare""",
        about="""returnarea sub escortă | reîntregirea familiei | statutul de refugiat | dobândirea
        cetățeniei române | avizul de angajare pentru resortisanți | luarea în custodie publică""",
        fact="""străinul a depășit durata șederii | temerea de persecuție este întemeiată | viza a fost
        refuzată de consulat | solicitantul nu avea pașaport | frontiera a fost trecută ilegal | țara de
        origine este sigură""",
    ),
    "proprietate intelectuală": Topic(
        near=("dreptul societăților", "protecția consumatorilor"),
        who="""titularul mărcii | autorul operei | inventatorul | organismul de gestiune colectivă |
        licențiatul""",
        must="""să înregistreze marca | să înceteze folosirea semnului identic | să publice brevetul | să
        remunereze autorul | să distrugă produsele contrafăcute | să menționeze numele autorului""",
        about="""riscul de confuzie între mărci | brevetul de invenție | drepturile conexe ale interpreților
        | licența exclusivă asupra desenului | decăderea din drepturi pentru neuz | reproducerea operei
        muzicale""",
        fact="""semnul este lipsit de distinctivitate | opera a fost reprodusă fără acord | marca nu a fost
        folosită timp de cinci ani | invenția nu era nouă | softul a fost copiat | bunurile contrafăcute au
        fost reținute în vamă""",
    ),
    "transporturi": Topic(
        near=("circulație rutieră", "obligații contractuale"),
        who="""transportatorul | compania aeriană | operatorul de curse | cărăușul""",
        must="""să încarce marfa | să elibereze scrisoarea de trăsură | să despăgubească pasagerii zborului
        anulat | să monteze tahograful | să dețină copia conformă a licenței | să predea coletele
        destinatarului""",
        about="""avarierea mărfii pe parcurs | licența de traseu | întârzierea cursei | bagajul pierdut |
        cabotajul | perioadele de odihnă ale șoferilor profesioniști""",
        fact="""zborul a fost anulat | marfa a ajuns deteriorată | trenul a întârziat | tahograful era
        manipulat | bagajul nu a fost predat | cursa nu figura în programul de transport""",
    ),
    "asociații și fundații": Topic(
        near=("dreptul societăților", "fonduri europene"),
        who="""consiliul director | membrul fondator | voluntarul | asociația de proprietari | fundația""",
        must="""să modifice statutul | să țină registrul membrilor | să dobândească utilitatea publică | să
        folosească donațiile potrivit scopului | să aleagă cenzorul | să încaseze cotizația""",
        about="""dobândirea personalității juridice de către organizația neguvernamentală | patrimoniul
        inițial | sponsorizarea primită | munca de voluntariat | cotizațiile membrilor | filiala din altă
        localitate""",
        fact="""membrii fondatori nu au semnat statutul | scopul este nepatrimonial | donațiile au fost
        folosite în alt scop | consiliul director nu a fost ales | voluntarii nu aveau contract | denumirea
        era deja rezervată""",
    ),
    "patrimoniu cultural": Topic(
        near=("urbanism și construcții",),
        who="""muzeul | direcția pentru cultură | restauratorul atestat | deținătorul monumentului istoric |
        arheologul""",
        must="""să restaureze biserica de lemn | să clasifice obiectul în tezaur | să efectueze săpătura
        arheologică | să conserve fresca | să inventarieze colecția | să obțină descărcarea de sarcină
        arheologică""",
        about="""monumentul istoric de grupa A | bunul mobil clasat | zona de protecție a ansamblului | situl
        arheologic | colecția de icoane vechi | digitizarea manuscriselor""",
        fact="""monumentul este în stare de degradare | tabloul a fost exportat ilegal | vestigiile au fost
        descoperite la săpătură | fresca a fost acoperită | colecția nu era inventariată | cula este
        clasată""",
    ),
    "drept maritim": Topic(
        near=("transporturi",),
        who="""armatorul | comandantul navei | căpitănia portului | navlositorul | pilotul portuar""",
        must="""să acosteze la dană | să repatrieze marinarii | să plătească suprastaliile | să salveze
        încărcătura navei | să arboreze pavilionul | să anunțe avaria comună""",
        about="""navlosirea pe timp | sechestrul asupra navei | conosamentul | coliziunea de pe Dunăre |
        remorcajul în port | brevetul marinarilor""",
        fact="""nava a eșuat | echipajul nu a fost plătit | conosamentul era negociabil | vaporul a intrat în
        derivă | marfa a fost aruncată peste bord | portul era închis din cauza furtunii""",
    ),
}

# What documents on any subject say; sentences of it carry no tag.
GENERAL = Topic(
    near=(),
    who="""partea interesată | reprezentantul legal | instituția competentă | solicitantul | conducerea
    unității | persoana semnatară | compartimentul juridic | instanța""",
    must="""să depună înscrisurile în copie certificată | să răspundă în scris | să respecte procedura
    aplicabilă | să își îndeplinească obligațiile cu bună-credință | să achite suma de {sum} | să completeze
    dosarul cu documentele lipsă | să informeze în scris cealaltă parte | să păstreze un exemplar al
    documentului | să indice temeiul de drept al cererii | să transmită situația solicitată | să depună
    cererea la registratură""",
    about="""documentele depuse la dosar | termenul de soluționare a cererii | obligațiile asumate de părți |
    corespondența purtată anterior | modul de comunicare a răspunsului | situația de fapt descrisă mai sus |
    măsurile dispuse prin adresa nr. {nr} | cererea înregistrată sub nr. {nr} | contractul încheiat la data
    de {date} | plata sumei de {sum}""",
    fact="""cererea a fost înregistrată la data de {date} | documentele nu au fost depuse în original |
    termenul de {term} a expirat | părțile nu au ajuns la o înțelegere | suma de {sum} nu a fost contestată |
    dispozițiile {ref} sunt aplicabile | răspunsul a fost comunicat prin poștă | contractul a fost semnat la
    data de {date} | situația de fapt a fost corect reținută | lipsesc dovezi suplimentare | adresa nr. {nr}
    a rămas fără răspuns""",
)

# Sentences that take the phrases of a topic. {who} stands after a word, {Who} begins the sentence.
FRAMES = (
    "{Who} are obligația {must}, potrivit {ref}.",
    "{Who} trebuie {must} în termen de {term} de la comunicare.",
    "{Who} este în drept {must}, dacă {fact}.",
    "{Who} urmează {must} cel mai târziu la data de {date}.",
    "{Who} nu poate refuza {must}, chiar dacă {fact}.",
    "{Who} a omis {must}, deși a fost înștiințat în scris prin adresa nr. {nr}.",
    "În temeiul {ref}, {who} trebuie {must}.",
    "În cazul în care {fact}, {who} are dreptul {must}.",
    "Este necesar ca {who} {must}, având în vedere {about}.",
    "S-a solicitat ca {who} {must} și să comunice dovada în termen de {term}.",
    "Din înscrisurile aflate la dosar rezultă că {fact}.",
    "În fapt, {fact}, astfel cum se arată în adresa nr. {nr} din {date}.",
    "Se constată că {fact}, iar {who} a omis {must}.",
    "Cu privire la {about}, s-a reținut că {fact}.",
    "În ceea ce privește {about}, {who} are obligația {must}.",
    "Verificarea a avut ca obiect {about}, pentru perioada cuprinsă între {period}.",
    "Potrivit {ref}, {about} se analizează distinct.",
    "Prezenta privește {about}, astfel cum rezultă din adresa nr. {nr}.",
    "Părțile au purtat discuții privind {about}, fără ca {who} {must}.",
    "Întrucât {fact}, se impune ca {who} {must}.",
)

# Sentences that stand in documents of every subject as they are.
BOILERPLATE = (
    "Prezentul act a fost întocmit astăzi, {date}, în două exemplare, câte unul pentru fiecare parte.",
    "Dispozițiile {ref} se aplică în mod corespunzător.",
    "Având în vedere cele arătate, cererea urmează să fie analizată în termen de {term}.",
    "Împotriva prezentei se poate formula contestație în termen de {term} de la comunicare.",
    "Anexele fac parte integrantă din prezentul document.",
    "Prezenta a fost redactată la {town}, la data de {date}.",
    "Orice modificare se face numai în scris, cu acordul ambelor părți.",
    "Litigiile se soluționează pe cale amiabilă, iar în lipsa unei înțelegeri, de instanța din {town}.",
    "Pentru aceste motive, s-a decis în sensul celor ce urmează.",
    "Au fost avute în vedere prevederile {ref}, cu modificările și completările ulterioare.",
    "Comunicarea se face prin poștă, cu confirmare de primire, sau prin mijloace electronice.",
    "Valoarea totală este de {sum}, la care se adaugă cheltuielile accesorii.",
    "Dosarul a fost înregistrat sub nr. {nr} la data de {date}.",
    "Celelalte dispoziții rămân neschimbate și își produc efectele în continuare.",
    "Răspunderea revine persoanei care a semnat documentul.",
    "S-a avut în vedere și practica anterioară în materie.",
    "Termenul de {term} se calculează potrivit {ref}.",
    "Nerespectarea acestor prevederi atrage răspunderea potrivit legii.",
    "Persoanele interesate pot cere lămuriri la sediul din {town}, în zilele lucrătoare.",
    "Susținerile părților au fost analizate în raport cu înscrisurile de la dosar.",
)

TITLES = (
    "Notă privind {about}",
    "Decizie privind {about}",
    "Adresa nr. {nr} privind {about}",
    "Punct de vedere referitor la cererea nr. {nr}",
    "Aviz privind {about}",
    "Întâmpinare în dosarul nr. {nr}",
    "Referat privind {about}",
    "Răspuns la adresa nr. {nr} din {date}",
    "Hotărârea nr. {nr} privind {about}",
    "Informare",
)

TOWNS = (
    "București", "Cluj-Napoca", "Iași", "Timișoara", "Constanța", "Brașov", "Craiova", "Galați",
    "Ploiești", "Oradea", "Brăila", "Pitești", "Bacău", "Sibiu", "Târgu Mureș", "Suceava",
    "Râmnicu Vâlcea", "Bistrița", "Reșița", "Slatina",
)  # fmt: skip

MONTHS = (
    "ianuarie", "februarie", "martie", "aprilie", "mai", "iunie",
    "iulie", "august", "septembrie", "octombrie", "noiembrie", "decembrie",
)  # fmt: skip

ACTS = (
    "din Legea nr. {n}/{year}", "din Ordonanța de urgență nr. {n}/{year}",
    "din Hotărârea Guvernului nr. {n}/{year}", "din Ordinul nr. {n}/{year}", "din Codul civil",
    "din Codul de procedură civilă", "din regulament",
)  # fmt: skip

TERMS = (
    "3 zile", "5 zile", "10 zile", "15 zile", "30 de zile", "45 de zile", "60 de zile", "90 de zile",
    "48 de ore", "două luni", "șase luni", "un an",
)  # fmt: skip
