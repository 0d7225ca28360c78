package caseforms

// Case is one case record: what several forms share, and under Forms what is particular to each. Every form is filled from it.
//
// Keys are those of the JSON record. What a value may be follows from its type; labels and options stand in templates/facts.yaml.
type Case struct {
	Person            Person                  `json:"person"`
	Care              Care                    `json:"care"`
	Offences          List[Offence]           `json:"offences"`
	Sentence          Sentence                `json:"sentence"`
	Release           Release                 `json:"release"`
	RelevantDates     RelevantDates           `json:"relevant_dates"`
	Risk              Risk                    `json:"risk"`
	MAPPA             MAPPA                   `json:"mappa"`
	Registers         List[Register]          `json:"registers"`
	Orders            List[Order]             `json:"orders"`
	Children          List[Child]             `json:"children"`
	Adults            List[Adult]             `json:"adults"`
	Professionals     List[Involved]          `json:"professionals"`
	Victims           List[Victim]            `json:"victims"`
	Practitioner      Practitioner            `json:"practitioner"`
	OtherPractitioner Professional            `json:"other_practitioner"`
	Manager           Professional            `json:"manager"`
	ChildrensServices List[ChildrensServices] `json:"childrens_services"`

	// Forms holds, by form id, what only that form asks. The form's definition says what is in it.
	Forms map[string]Group `json:"forms"`
}

// Person is the person on probation or the prisoner.
type Person struct {
	CRN               Of[CRN]             `json:"crn"`
	PrisonNumber      Of[PrisonNumber]    `json:"prison_number"`
	PNC               Of[PNC]             `json:"pnc"`
	CRO               Of[CRO]             `json:"cro"`
	ViSORRef          Of[Line]            `json:"visor_ref"`
	FamilyName        Of[Line]            `json:"family_name"`
	GivenNames        Of[Line]            `json:"given_names"`
	Aliases           List[Of[Line]]      `json:"aliases"`
	Nicknames         List[Of[Line]]      `json:"nicknames"`
	DOB               Of[Date]            `json:"dob"`
	Gender            Of[Line]            `json:"gender"`
	Ethnicity         Of[Line]            `json:"ethnicity"` // in words, never the code (MAPPA A completion notes)
	Religion          Of[Line]            `json:"religion"`
	FirstLanguage     Of[Line]            `json:"first_language"`
	InterpreterNeeded Of[YesNoUnknown]    `json:"interpreter_needed"`
	Disability        Of[Prose]           `json:"disability"`
	Nationality       Of[Line]            `json:"nationality"`
	ImmigrationStatus Of[Line]            `json:"immigration_status"`
	Addresses         List[PersonAddress] `json:"addresses"`
	CustodyStatus     Of[Choice]          `json:"custody_status"`
	Phone             Of[Phone]           `json:"phone"`
	Email             Of[Email]           `json:"email"`
}

// Address is where somebody lives or works. No fixed abode is an answer and needs no postcode.
type Address struct {
	Lines        List[Of[Line]] `json:"lines"`
	Postcode     Of[Postcode]   `json:"postcode"`
	NoFixedAbode Of[YesNo]      `json:"no_fixed_abode"`
	ClosestArea  Of[Line]       `json:"closest_area"` // of a person without fixed abode: the area of closest links
}

// PersonAddress is one of the addresses of the person: current, proposed on release, or another stayed at or visited (002:915-918).
type PersonAddress struct {
	Type                Of[Choice]       `json:"type"`
	Address             Address          `json:"address"`
	From                Of[PartialDate]  `json:"from"`
	To                  Of[PartialDate]  `json:"to"`
	WhoLivesThere       Of[Prose]        `json:"who_lives_there"`
	Approved            Of[YesNoUnknown] `json:"approved"`
	LocalAuthority      Of[Line]         `json:"local_authority"`
	AddressConfidential Of[YesNo]        `json:"address_confidential"`
}

// Care is the leaving-care side of a young person's case (seed 004).
type Care struct {
	Status               Of[Choice]   `json:"care_status"`
	ResponsibleAuthority Of[Line]     `json:"responsible_authority"`
	PersonalAdviser      Professional `json:"personal_adviser"`
	YOSCaseManager       Professional `json:"yos_case_manager"`
	PathwayPlanOn        Of[Date]     `json:"pathway_plan_on"`
}

// Offence is one conviction or caution.
type Offence struct {
	Description        Of[Line]         `json:"description"`
	OffenceDate        Of[PartialDate]  `json:"offence_date"`
	Index              Of[YesNo]        `json:"index"`
	AgainstChild       Of[YesNoUnknown] `json:"against_child"`
	VictimRelationship Of[Line]         `json:"victim_relationship"`
	BriefCircumstances Of[Prose]        `json:"brief_circumstances"`
}

// Sentence is the sentence, order or licence the person is on (002:982-990, 1069-1073).
type Sentence struct {
	Date                   Of[Date]  `json:"date"`
	Court                  Of[Line]  `json:"court"`
	Type                   Of[Line]  `json:"type"`
	AdditionalRequirements Of[Prose] `json:"additional_requirements"`
	Length                 Of[Line]  `json:"length"`
	Establishment          Of[Line]  `json:"establishment"`
	ReleaseDate            Of[Date]  `json:"release_date"`
	LicenceType            Of[Line]  `json:"licence_type"`
	ExpiryDate             Of[Date]  `json:"expiry_date"`
	CommencementDate       Of[Date]  `json:"commencement_date"`
}

// Release is the release being considered, which several forms ask about.
type Release struct {
	Kind         Of[Choice] `json:"kind"`
	DecisionDate Of[Date]   `json:"decision_date"`
	Conditions   Of[Prose]  `json:"conditions"`
}

// RelevantDates are the dates MAPPA forms and letters print.
type RelevantDates struct {
	ParoleEligibility      Of[Date] `json:"ped"`
	HDCEligibility         Of[Date] `json:"hdced"`
	ConditionalRelease     Of[Date] `json:"crd"`
	NonParole              Of[Date] `json:"npd"`
	LicenceExpiry          Of[Date] `json:"led"`
	SentenceExpiry         Of[Date] `json:"sed"`
	PostSentenceEnd        Of[Date] `json:"pss_end"`
	TopUpSupervisionExpiry Of[Date] `json:"tused"`
	TariffExpiry           Of[Date] `json:"tariff_expiry"`
	NextROTL               Of[Date] `json:"next_rotl"`
	ParoleHearing          Of[Date] `json:"parole_hearing"`
	MentalHealthReview     Of[Date] `json:"mental_health_review"`
}

// Risk is the assessed risk of serious harm and the scores beside it (002:217; 003:304-305).
type Risk struct {
	RoSHChildren   Of[Choice]       `json:"rosh_children"`
	RoSHPublic     Of[Choice]       `json:"rosh_public"`
	RoSHKnownAdult Of[Choice]       `json:"rosh_known_adult"`
	RoSHStaff      Of[Choice]       `json:"rosh_staff"`
	RoSHPrisoners  Of[Choice]       `json:"rosh_prisoners"`
	OASysDate      Of[Date]         `json:"oasys_date"`
	OGRS           Of[Line]         `json:"ogrs"`
	OVP            Of[Line]         `json:"ovp"`
	OGP            Of[Line]         `json:"ogp"`
	RM2000         Of[Line]         `json:"rm2000"`
	SARA           Of[Line]         `json:"sara"`
	OtherTools     List[Assessment] `json:"other_tools"`

	Statements        RiskStatements `json:"statements"`
	ParentingCapacity Of[Prose]      `json:"parenting_capacity"`
	ProtectiveFactors Of[Prose]      `json:"protective_factors"`
}

// RiskStatements are the six questions on which comments about risk should be clear (002:282-289).
type RiskStatements struct {
	Dimensions Of[Prose] `json:"dimensions"`
	Who        Of[Prose] `json:"who"`
	Nature     Of[Prose] `json:"nature"`
	When       Of[Prose] `json:"when"`
	Reduce     Of[Prose] `json:"reduce"`
	Contained  Of[Prose] `json:"contained"`
}

// Assessment is the result of another assessment tool.
type Assessment struct {
	Tool   Of[Line]        `json:"tool"`
	Result Of[Line]        `json:"result"`
	Date   Of[PartialDate] `json:"date"`
}

// MAPPA is the category and level the person is managed at.
type MAPPA struct {
	Category Of[Choice]          `json:"category"`
	Level    Of[Choice]          `json:"level"`
	Start    Of[Date]            `json:"start"`
	Review   Of[Date]            `json:"review"`
	Previous List[PreviousMAPPA] `json:"previous"`
}

// PreviousMAPPA is an earlier category and level.
type PreviousMAPPA struct {
	Category Of[Choice]      `json:"category"`
	Level    Of[Choice]      `json:"level"`
	From     Of[PartialDate] `json:"from"`
	To       Of[PartialDate] `json:"to"`
}

// Register is an entry in one of the Delius registers (002:669-678).
type Register struct {
	SeedName Of[Line]  `json:"seed_name"`
	Code     Of[Line]  `json:"code"`
	Level    Of[Line]  `json:"level"`
	Start    Of[Date]  `json:"start"`
	Review   Of[Date]  `json:"review"`
	Notes    Of[Prose] `json:"notes"`
}

// Order is a civil or criminal order in force beside the sentence (002:622).
type Order struct {
	Type  Of[Choice] `json:"type"`
	Date  Of[Date]   `json:"date"`
	Until Of[Date]   `json:"until"`
	Text  Of[Prose]  `json:"text"`
}

// Child is a child of the person, or one who has significant contact with them (002:924, 994).
type Child struct {
	Name                     Of[Line]         `json:"name"`
	DOB                      Of[PartialDate]  `json:"dob"` // or an age
	Unborn                   Of[YesNo]        `json:"unborn"`
	EDD                      Of[PartialDate]  `json:"edd"` // expected date of delivery
	Gender                   Of[Line]         `json:"gender"`
	Ethnicity                Of[Line]         `json:"ethnicity"`
	FirstLanguage            Of[Line]         `json:"first_language"`
	Disability               Of[Prose]        `json:"disability"`
	NHSNumber                Of[NHSNumber]    `json:"nhs_number"`
	Address                  Address          `json:"address"`
	AddressConfidential      Of[YesNo]        `json:"address_confidential"`
	LocalAuthority           Of[Line]         `json:"local_authority"`
	LivesWithPerson          Of[YesNoUnknown] `json:"lives_with_person"`
	LivesAtRelease           Of[YesNoUnknown] `json:"lives_at_release_address"`
	Visits                   Of[YesNoUnknown] `json:"visits"`
	WithWhomNow              Of[Line]         `json:"with_whom_now"`
	Relationship             Of[Line]         `json:"relationship"`
	ContactPattern           Of[Prose]        `json:"contact_pattern"`
	School                   Of[Line]         `json:"school"`
	GP                       Of[Line]         `json:"gp"`
	KnownToCSC               Of[YesNoUnknown] `json:"known_to_csc"`
	Status                   Of[Choice]       `json:"status"`
	AllocatedSW              Professional     `json:"allocated_sw"`
	NextMeetingDate          Of[Date]         `json:"next_meeting_date"`
	ParentalResponsibilityBy List[Of[Line]]   `json:"parental_responsibility_by"`
	SourceProtected          Of[YesNo]        `json:"source_protected"`
}

// Adult is a parent, a carer or another adult of the household or the family (002:937).
type Adult struct {
	Name                   Of[Line]         `json:"name"`
	DOB                    Of[PartialDate]  `json:"dob"`
	RelationshipToPerson   Of[Line]         `json:"relationship_to_person"`
	RelationshipToChild    List[Of[Line]]   `json:"relationship_to_child"`
	Address                Address          `json:"address"`
	AddressConfidential    Of[YesNo]        `json:"address_confidential"`
	Phone                  Of[Phone]        `json:"phone"`
	SafeToContact          Of[YesNoUnknown] `json:"safe_to_contact"` // is it safe to phone or write
	ParentalResponsibility Of[YesNoUnknown] `json:"parental_responsibility"`
	AwareOfOffence         Of[YesNoUnknown] `json:"aware_of_offence"`
	CarerView              Of[Prose]        `json:"carer_view"`
	SourceProtected        Of[YesNo]        `json:"source_protected"`
}

// Professional is somebody who works with the person, the children or the family.
type Professional struct {
	Name                Of[Line]  `json:"name"`
	Role                Of[Line]  `json:"role"`
	Agency              Of[Line]  `json:"agency"`
	Phone               Of[Phone] `json:"phone"`
	Email               Of[Email] `json:"email"`
	Address             Address   `json:"address"`
	SecureDomainChecked Of[Date]  `json:"secure_domain_checked"`
}

// Involved is a professional of an agency involved. One who must not be named to the person, such as a refuge worker, is protected.
type Involved struct {
	Name                Of[Line]  `json:"name"`
	Role                Of[Line]  `json:"role"`
	Agency              Of[Line]  `json:"agency"`
	Phone               Of[Phone] `json:"phone"`
	Email               Of[Email] `json:"email"`
	Address             Address   `json:"address"`
	SecureDomainChecked Of[Date]  `json:"secure_domain_checked"`
	SourceProtected     Of[YesNo] `json:"source_protected"`
}

// Victim is named by reference, not by name (003:109-111).
type Victim struct {
	Reference           Of[Line]         `json:"reference"`
	IsChild             Of[YesNoUnknown] `json:"is_child"`
	Relationship        Of[Line]         `json:"relationship"`
	VLO                 Professional     `json:"vlo"`
	ContactScheme       Of[YesNoUnknown] `json:"contact_scheme"`
	NoContactConditions Of[Prose]        `json:"no_contact_conditions"`
	AddressConfidential Of[YesNo]        `json:"address_confidential"`
	SourceProtected     Of[YesNo]        `json:"source_protected"`
}

// Practitioner is who holds the case and sends the papers: the referrer, notifier and offender manager of the forms.
type Practitioner struct {
	Name            Of[Line]   `json:"name"`
	Role            Of[Choice] `json:"role"`
	RoleOther       Of[Line]   `json:"role_other"`
	Organisation    Of[Line]   `json:"organisation"`
	PDU             Of[Line]   `json:"pdu"`
	Address         Address    `json:"address"`
	Phone           Of[Phone]  `json:"phone"`
	Fax             Of[Phone]  `json:"fax"`
	Email           Of[Email]  `json:"email"`
	ReturnEmail     Of[Email]  `json:"return_email"` // the organisation's tracked mailbox, where replies are to go
	CoverName       Of[Line]   `json:"cover_name"`
	CoverPhone      Of[Phone]  `json:"cover_phone"`
	OutOfHoursPhone Of[Phone]  `json:"out_of_hours_phone"`
}

// ChildrensServices are the children's services of one authority concerned: of the home or release address, or of a child's.
// Each gets its own document, with its own children only.
type ChildrensServices struct {
	Authority    Of[Line]   `json:"authority"`
	Service      Of[Choice] `json:"service"`
	ServiceOther Of[Line]   `json:"service_other"`
	Address      Address    `json:"address"`
	Phone        Of[Phone]  `json:"phone"`
	Fax          Of[Phone]  `json:"fax"`
	Email        Of[Email]  `json:"email"`
}
