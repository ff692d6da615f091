package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Role says what somebody may do. Each includes those before it.
type Role int

const (
	Anyone   Role = iota // the page itself, to sign in
	Viewer               // sees everything
	Operator             // stops, releases, tunes
	Admin                // signs others out
)

var roles = [...]string{"anyone", "viewer", "operator", "admin"}

// String returns the role's name.
func (r Role) String() string { return roles[max(Anyone, min(r, Admin))] }

// MarshalText returns the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseRole reads viewer, operator or admin.
func ParseRole(s string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if roles[r] == s {
			return r, nil
		}
	}
	return Anyone, fmt.Errorf("role %q: want viewer, operator or admin", s)
}

// An Identity is somebody who showed a token.
type Identity struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
}

// An Auth knows whose token has a hash. It is asked at every request, so that a token that is taken
// away ends its sessions too. It is safe for concurrent use, and takes the same time for any hash.
type Auth interface {
	Authenticate(hash [sha256.Size]byte) (Identity, bool)
}

// A Token is what is kept of a bearer token: never the token itself.
type Token struct {
	Identity
	Hash [sha256.Size]byte
}

// NewToken makes a token, 256 random bits, and returns what its holder must keep secret.
func NewToken(name string, role Role) (secret string, t Token) {
	var b [32]byte
	rand.Read(b[:]) // never fails
	secret = "relent_" + hex.EncodeToString(b[:])
	return secret, Token{Identity{name, role}, HashToken(secret)}
}

// HashToken returns what is kept of a token. A token is random, so a plain hash is enough.
func HashToken(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// ParseToken reads the text form of a token, name:role:hash, with the hash in hexadecimal.
func ParseToken(s string) (Token, error) {
	name, rest, _ := strings.Cut(s, ":")
	word, hash, ok := strings.Cut(rest, ":")
	if !ok || name == "" {
		return Token{}, fmt.Errorf("token %q: want name:role:hash", name)
	}
	role, err := ParseRole(word)
	if err != nil {
		return Token{}, fmt.Errorf("token %q: %w", name, err)
	}
	t := Token{Identity: Identity{name, role}}
	if n, err := hex.Decode(t.Hash[:], fmt.Append(nil, hash[:min(len(hash), 2*sha256.Size)])); err != nil || n != sha256.Size || len(hash) != 2*sha256.Size {
		return Token{}, fmt.Errorf("token %q: the hash is not %d hexadecimal digits", name, 2*sha256.Size)
	}
	return t, nil
}

// String returns the text form.
func (t Token) String() string { return fmt.Sprintf("%s:%s:%x", t.Name, t.Role, t.Hash) }

// A TokenStore returns the tokens that are good now.
type TokenStore interface{ Tokens() []Token }

// A TokenList is a TokenStore that does not change.
type TokenList []Token

// Tokens returns the list.
func (l TokenList) Tokens() []Token { return l }

// Tokens returns an Auth for the tokens of a store.
func Tokens(s TokenStore) Auth { return tokens{s} }

type tokens struct{ store TokenStore }

// Authenticate compares with every token, whether or not one has matched.
func (a tokens) Authenticate(hash [sha256.Size]byte) (who Identity, ok bool) {
	for _, t := range a.store.Tokens() {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			who, ok = t.Identity, true
		}
	}
	return who, ok
}
