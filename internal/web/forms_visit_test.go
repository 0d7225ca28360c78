package web

import (
	"io/fs"
	"testing/fstest"
)

// copyFS puts files into a tree of files.
func copyFS(to fstest.MapFS, from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, name)
		to[name] = &fstest.MapFile{Data: b}
		return err
	})
}

// visitForm is a form made up for the test, with a question of every kind.
const visitForm = `form: visit
version: "1"
title: Record of a home visit
goes_to: Nobody
source: made up
marking: OFFICIAL-SENSITIVE
marking_blank: OFFICIAL
copies: [full]
dated_by: when
sections:
  - key: seen
    title: What was seen
    layout: rows
    fields:
      - {key: name, label: Who was visited, from: [person.given_names, person.family_name], join: " ", required: true}
      - {key: note, label: Note, kind: text, lines: 3, required: true}
      - {key: story, label: Story, kind: longtext, layout: narrative}
      - {key: when, label: Date of the visit, kind: date, required: true}
      - {key: since, label: Known since, kind: partial_date}
      - {key: at, label: At, kind: time}
      - {key: met, label: Next meeting, kind: datetime}
      - key: mood
        label: Mood
        kind: choice
        options: {calm: Calm, upset: Upset}
      - key: rooms
        label: Rooms seen
        kind: checks
        options: {kitchen: Kitchen, hall: Hall, bath: Bathroom}
      - {key: dog, label: Is there a dog, kind: yes_no}
      - {key: breed, label: Which breed, kind: text, when: {field: dog, is: "yes"}, required: {field: dog, is: "yes"}}
      - {key: safe, label: Is it safe, kind: yes_no_unknown}
      - {key: people, label: How many people, kind: number}
      - {key: mail, label: E-mail, kind: email}
      - {key: ring, label: Telephone, kind: phone}
      - {key: code, label: Postcode, kind: postcode}
      - {key: place, label: Place, kind: address}
      - key: things
        label: Things noticed
        item: Thing
        kind: list
        layout: table
        fields:
          - {key: what, label: What, kind: text}
          - {key: risk, label: A risk, kind: yes_no}
`
