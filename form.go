package caseforms

// Definitions are the forms and words in effect for one area. They are loaded once (see package templates) and never change after.
type Definitions struct {
	Area     string
	Lang     string // "en" or "cy"
	Forms    []*Form
	Facts    map[string]*FactWords // by key path without indexes, such as children.status
	Rules    []*Rule               // about shared facts: they hold for every form that uses the facts they are about
	Words    Words
	Settings map[string]Text // organisation names and the like, filled in where a text says {name}
	Duties   Duties
	Roles    []RecipientRole       // whom documents may go to
	Mail     map[string]*MailWords // what messages say: by form, and see MailDefault
	// BankHolidays are those that were published when the program was made.
	BankHolidays []Holiday

	shape *Shape
}

// FactWords are the words for one shared fact.
type FactWords struct {
	Label   Text
	Item    Text // of a list: what one item is called; else the label
	Options []Option
	Lines   int // of a text: in how many lines it is typed on a page, see Field
	Line    int
}

// Form is one version of one form: what it asks, where the answers come from, what must be there, how it is laid out.
type Form struct {
	ID           string
	Version      string
	Title        Text
	Subtitle     Text
	GoesTo       Text // for people: who receives it
	Source       string
	Marking      string // of a filled form, in capitals at the top and bottom of every page (E.2)
	MarkingBlank string
	Copies       []string // which of full, disclosable and annex there are
	DatedBy      string   // key of the field whose date is the document's date: ages are told on that day
	Addressee    *Addressee
	FoldBlanks   bool            // optional questions without an answer print as one line that names them (0.4 point 21)
	Silent       bool            // what the disclosable copy withholds is not told: no mark, no reason (0.4 point 6); see FillOptions.Marked
	Schedule     bool            // the full copy and the annex list what the disclosable copy leaves out
	Notices      map[string]Text // by copy: what it says of itself on every page
	Confidential bool            // goes to those who may see confidential addresses, which is Children's Social Care alone (0.4 point 7)
	Outside      bool            // goes to others than the agencies that work on the case: it is searched for what is sensitive as a disclosable copy is
	Urgent       *Urgent
	Called       []*Called // other titles, for kinds of the form that must not bear its usual one
	Sections     []*Section
	Register     *RegisterPlan // what the list of its cases has
	Rules        []*Rule
	File         string
	Hash         string   // SHA-256, in hexadecimal, of the files that make up the form as it holds here; set by who loads it
	Sources      []Source // those files, in the order in which they were read
	Replaces     *Form    // the general form, where this is an area's: a case may answer its questions too

	fields map[string]*Field // by key, columns excluded
	theirs map[string]string // of a list whose items belong to addressees: the key that says to whom
	asked  map[string]*Field // by the path of the fact that is printed, without indexes
}

// Source is a file that a form is made of, as it was read. Nobody changes its bytes.
type Source struct {
	Name string // its path among the definitions, with slashes
	Data []byte
}

// Addressee says that each document is for one of several: an authority concerned, an agency with actions to take. It has what is theirs
// and nothing of the others' (0.4 points 9 and 24).
type Addressee struct {
	List string // the list whose items name them
	By   string // the item's key with the name
	Only bool   // what is said to be nobody's goes to nobody; else, as with a child of unknown authority, to each of them
	Line int
}

// Called is the title of a kind of the form: a professionals meeting outside MAPPA must not be called a MAPPA case (0.4 point 23).
type Called struct {
	When     *Cond
	Title    Text
	Subtitle Text
}

// Urgent says when only a few answers are required and everything else is a warning (0.4 point 1).
type Urgent struct {
	When  *Cond
	Needs []string
	Blank Text // printed for what is not answered
}

// Section is a titled part of a form.
type Section struct {
	Key    string
	Title  Text
	Intro  Text
	Layout Layout
	Text   Text     // of a letter: fixed words with {key} where the section's answers go
	Takes  string   // form.section: the questions of another form's section, printed here with the answers given there
	Keep   []string // which of them; all when empty
	Copies []string // on which copies it stands; on all but the annex when empty
	When   *Cond
	Fields []*Field
	Line   int
}

// Layout is a meaning, never a position: how the answers of a section belong together.
type Layout string

const (
	LayoutRows      Layout = "rows"      // label beside answer
	LayoutPairs     Layout = "pairs"     // two columns of label and answer: sender and recipient side by side
	LayoutGrid      Layout = "grid"      // short answers side by side under their labels
	LayoutLetter    Layout = "letter"    // running text with the answers in it
	LayoutSignature Layout = "signature" // who signs, and when
	LayoutReply     Layout = "reply"     // filled in by the recipient
	LayoutTable     Layout = "table"     // of a list: one row an item
	LayoutCards     Layout = "cards"     // of a list: one block an item
	LayoutBanner    Layout = "banner"    // what must be seen first
	LayoutTicks     Layout = "ticks"     // boxes side by side
	LayoutNarrative Layout = "narrative" // label above, text across the page
)

// Field is one question. It prints a shared fact (From), or it is the form's own (Kind).
type Field struct {
	Key      string
	Label    Text
	Item     Text // of a list: what one item is called; else the label
	Hint     Text
	Kind     Kind
	From     []string // shared facts it prints, joined by Join
	Join     string
	Before   []Text          // words before each part of From
	As       string          // a named way to print, see presenters
	Only     *Cond           // of a list: which items
	First    bool            // of a list: only the first of them
	Theirs   string          // of a list: the item's key that names whose it is; only the addressee's items are printed
	States   map[string]Text // other words for a state: "Considered, not applicable"
	Reasons  bool            // a state without its reason will not do
	Definite bool            // where it is required only an answer will do, no state
	Silent   bool            // withheld without a word: the question is left out, because a gap would tell that there is something (0.4 point 6)
	// Sensitive says why the disclosable copy leaves the answer out.
	Sensitive []Sensitivity
	Parts     []string // of the facts it joins, those that are sensitive; all when empty
	// Names says that the answer names somebody, so that a narrative is searched for the name where the answer is withheld.
	Names    bool
	Options  []Option
	Required *Need
	Warn     *Need
	When     *Cond // the question is asked only if
	Layout   Layout
	Column   int   // in pairs: 1 or 2
	Columns  []int // of tick boxes: how many stand in each column, as printed on the original
	Width    int   // of a column in a table: its share
	Rows     int   // empty rows or lines on the printed blank form
	Lines    int   // of a text: in how many lines it is typed on a page; one when it is not said. Nothing that is printed goes by it
	Internal bool
	Anew     bool   // it belongs to one document, such as who signed it and when: the next of the case begins without it
	Fixed    Text   // printed as the answer whatever the case says, such as the sender's organisation
	Computed string // a named computation, see computations
	Fields   []*Field
	Heading  []string // of cards: the item's keys that make its heading
	Source   string
	Line     int

	shapeKind   Kind       // of the one fact it prints; empty when it prints several
	options     []Option   // of the fact it prints
	partOptions [][]Option // of the facts it joins
}

func (q *Field) itemName() Text {
	if q.Item.IsZero() {
		return q.Label
	}
	return q.Item
}

// Need says that an answer is wanted: always, or when a condition holds.
type Need struct {
	Always bool
	When   *Cond
	Any    []*Cond // one of them is enough
	Rule   string  // a named rule
}

// Cond is a condition on another answer: equal to one of Is. Field is a key of the form, of the item, or the path of a shared fact.
type Cond struct {
	Field string
	Is    []string
	Line  int
}

// Rule is something that must hold between answers. What it tests is named Go (see rules); when and what it says are data.
type Rule struct {
	Rule    string
	Of      []string // shared facts or keys it looks at
	When    []*Cond  // of all_are: the conditions
	Any     []string // of all_are: and one of the answers named in Of is one of these
	At      string   // the key whose place and label the problem gets
	Level   Severity
	Copies  []string // on which copies it holds; on all when empty
	Informs bool     // of a warning: it only tells something, and nobody is asked why they go on
	Say     Text
	Hint    Text
	Source  string
	Line    int
}

// Form finds a form by its id.
func (d *Definitions) Form(id string) (*Form, error) {
	var known []string
	for _, f := range d.Forms {
		if f.ID == id {
			return f, nil
		}
		known = append(known, f.ID)
	}
	hint := "caseforms forms lists them"
	if n := nearest(id, known); n != "" {
		hint = "did you mean " + n + "? caseforms forms lists them all"
	}
	return nil, &Error{Kind: NotFound, Msg: "there is no form " + quoteKey(id), Hint: hint}
}

// Field finds one of the form's questions by its key.
func (f *Form) Field(key string) *Field { return f.fields[key] }
