// Package mail hands documents over by e-mail and reads what comes back. It hides what a message looks like, what may be sent to whom, how
// a relay is spoken to, and how a bounce is told from an answer. It knows neither the store nor any form; the acts that use it do.
//
// To send:
//
//	d := mail.Decide(mail.Question{To: recipient, Policies: policies, Relays: relays, Size: mail.EncodedSize(len(pdf)), Today: today})
//	if d.Held != nil { … }                                             // say why, and what to do instead
//	m, err := mail.Compose(definitions, house, mail.Letter{Route: *d.Allowed, …}, rand.Reader)
//	payload, err := m.MarshalBinary()                                  // stored; from here on the bytes do not change
//	delivery, err := courier.Carry(ctx, m, leaving)                    // now, and again when a *NotDelivered says so
//
// To take in what comes back:
//
//	err := inbox.Take(ctx, place, func(t mail.Taken) error {           // stores t.Raw and t.Place together, once for the same bytes
//		in := mail.Read(t.Raw)
//		match, err := ours.Match(ctx, in, keys)
//		…
//	})
//	err = inbox.Wait(ctx, time.Minute)                                 // and again
//
// What it promises:
//
//   - Nothing leaves that no policy allows: not by another relay, not to another address, not unsealed. Policy is asked when a message is
//     composed and again before each dial ([Courier]'s Recheck), and what it does not allow is [Held] with a reason.
//   - Nothing leaves but over TLS 1.2 or later with a certificate that was verified. There is no setting against it.
//   - A message is built once. Every attempt sends the same bytes with the same Message-ID.
//   - A message that certainly did not arrive is told from one of which nobody knows: the first is a [NotDelivered], and only it may be
//     tried again.
//   - A mailbox is only read, and people may read it too. A message in it is handed over until its place was stored; one that was handed over
//     before may come again, and is known by its bytes.
//   - Nothing personal stands in a subject, in what mail programs show of a message before it is opened, in names of files, in a
//     Message-ID or in an address.
package mail
