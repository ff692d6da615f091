package budget

import "context"

type parentKey struct{}

// WithParent returns a context whose calls belong to parent: the business object for which they are
// made, such as a parent order or a job. [Parents] and [Spend] count by it. The id must be the same wherever
// the object is worked on, also after a restart; the empty one is none.
func WithParent(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, parentKey{}, id)
}

// Parent returns the parent of ctx, or "".
func Parent(ctx context.Context) string {
	id, _ := ctx.Value(parentKey{}).(string)
	return id
}
