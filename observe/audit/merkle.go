package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// HeadsChain is the chain of a checkpoint that is of a [Tree] of heads instead: Sequence is how many there are, Hash is the root.
const HeadsChain = "~heads"

// A Tree is a Merkle tree (RFC 9162, section 2.1) over the heads of many chains, in the order of their names. One signature of its root vouches for all of
// them, and a proof shows for one of them that it was among them without showing the others.
type Tree struct {
	heads  []Head
	leaves []Hash
}

// NewTree returns the tree over heads, of which there is one for each chain.
func NewTree(heads []Head) *Tree {
	t := &Tree{heads: slices.Clone(heads)}
	slices.SortStableFunc(t.heads, func(a, b Head) int { return strings.Compare(a.Chain, b.Chain) })
	for i := range t.heads {
		t.leaves = append(t.leaves, t.heads[i].leaf())
	}
	return t
}

// leaf returns the hash of a leaf: of {"chain","hash","sequence"} in canonical JSON.
func (h *Head) leaf() Hash {
	o := object{buf: []byte{0, '{'}} // RFC 9162, section 2.1.1: 0x00 before a leaf
	o.text("chain", h.Chain)
	o.text("hash", h.Hash.String())
	o.number("sequence", h.Sequence)
	return sha256.Sum256(append(o.buf, '}'))
}

// Head returns the head of the tree itself, to be signed: its root, as that of [HeadsChain].
func (t *Tree) Head() Head { return Head{HeadsChain, uint64(len(t.leaves)), root(t.leaves)} }

// root returns MTH (RFC 9162, section 2.1.1).
func root(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return node(root(leaves[:k]), root(leaves[k:]))
}

func node(left, right Hash) Hash {
	b := append([]byte{1}, left[:]...)
	return sha256.Sum256(append(b, right[:]...))
}

// split returns the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// A Proof shows that a head is in a tree.
type Proof struct {
	Head  Head   `json:"head"`
	Index uint64 `json:"index"` // of the head among those of the tree
	Size  uint64 `json:"size"`  // of the tree
	Path  []Hash `json:"path"`  // RFC 9162, section 2.1.3
}

// Prove returns the proof for the head of a chain; false if the tree has none.
func (t *Tree) Prove(chain string) (Proof, bool) {
	i, ok := slices.BinarySearchFunc(t.heads, chain, func(h Head, chain string) int { return strings.Compare(h.Chain, chain) })
	if !ok {
		return Proof{}, false
	}
	return Proof{t.heads[i], uint64(i), uint64(len(t.leaves)), path(i, t.leaves)}, true
}

// path returns PATH (RFC 9162, section 2.1.3.1).
func path(i int, leaves []Hash) []Hash {
	if len(leaves) <= 1 {
		return nil
	}
	if k := split(len(leaves)); i < k {
		return append(path(i, leaves[:k]), root(leaves[k:]))
	} else {
		return append(path(i-k, leaves[k:]), root(leaves[:k]))
	}
}

// ErrProof says that a proof does not lead to the root.
var ErrProof = errors.New("the proof does not lead to the root")

// Verify returns nil if the proof leads to the root of a tree: the Hash of its checkpoint, whose Sequence is the size.
// Else it returns [ErrProof]. See RFC 9162, section 2.1.3.2.
func (p *Proof) Verify(tree Head) error {
	if tree.Chain != HeadsChain || p.Size != tree.Sequence || p.Index >= p.Size {
		return fmt.Errorf("%w: head %d of %d, in a tree of %d", ErrProof, p.Index, p.Size, tree.Sequence)
	}
	at, last := p.Index, p.Size-1
	hash := p.Head.leaf()
	for _, sibling := range p.Path {
		if last == 0 {
			return ErrProof
		}
		if at&1 == 1 || at == last {
			hash = node(sibling, hash)
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		} else {
			hash = node(hash, sibling)
		}
		at, last = at>>1, last>>1
	}
	if last != 0 || hash != tree.Hash {
		return ErrProof
	}
	return nil
}
