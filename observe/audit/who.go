package audit

import "context"

// A Who is on whose behalf calls are made. Put it into their context with [With].
type Who struct {
	Actor    string
	Strategy string
	Tenant   string
	Parent   string // what the call is a part of, such as the parent order
	Key      string // the idempotency key: the record has its Digest
	Payload  []byte // what is sent: the record has its Digest; not to be modified until the call has ended
}

type whoKey struct{}

// With returns a context that tells on whose behalf the calls are that get it. Empty fields leave what the context said before.
func With(ctx context.Context, w Who) context.Context {
	if outer, ok := ctx.Value(whoKey{}).(*Who); ok {
		for _, f := range []struct{ inner, outer *string }{
			{&w.Actor, &outer.Actor}, {&w.Strategy, &outer.Strategy}, {&w.Tenant, &outer.Tenant}, {&w.Parent, &outer.Parent}, {&w.Key, &outer.Key},
		} {
			if *f.inner == "" {
				*f.inner = *f.outer
			}
		}
		if w.Payload == nil {
			w.Payload = outer.Payload
		}
	}
	return context.WithValue(ctx, whoKey{}, &w)
}

// fill sets what the context tells.
func fill(ctx context.Context, r *Record) {
	w, ok := ctx.Value(whoKey{}).(*Who)
	if !ok {
		return
	}
	r.Actor, r.Strategy, r.Tenant, r.Parent = w.Actor, w.Strategy, w.Tenant, w.Parent
	if w.Key != "" {
		r.Key = Digest(w.Key)
	}
	if w.Payload != nil {
		r.Payload = Digest(w.Payload)
	}
}
