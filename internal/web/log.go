package web

import (
	"context"
	"io"
	"log/slog"
	"slices"
)

// logged are the attributes that may stand in the log: ids, figures and words of ours. Nothing that somebody typed, no name, no address.
var logged = []string{"request", "method", "route", "status", "ms", "bytes", "actor", "kind", "what", "stack", "job", "listen", "metrics", "version", "ref", "standing", "urgent"}

// NewLog writes a log as JSON, a line for each event, with allowed attributes only.
func NewLog(w io.Writer) *slog.Logger {
	return slog.New(&allowing{slog.NewJSONHandler(w, nil)})
}

type allowing struct{ slog.Handler }

func (h *allowing) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, 0)
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(logged, a.Key) && a.Value.Kind() != slog.KindGroup && !(a.Value.Kind() == slog.KindString && a.Value.String() == "") {
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h *allowing) WithAttrs(as []slog.Attr) slog.Handler {
	as = slices.DeleteFunc(slices.Clone(as), func(a slog.Attr) bool { return !slices.Contains(logged, a.Key) })
	return &allowing{h.Handler.WithAttrs(as)}
}

func (h *allowing) WithGroup(string) slog.Handler { return h }
