package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// A segment is a file of lines. The first one says where it goes on from, each other one holds a record:
//
//	{"audit":1,"chain":"node-1","after":{"chain":"node-1","sequence":1000,"hash":"…64 digits…"}}
//	{"hash":"…64 digits…","batch":[1001,1003],"sum":"…8 digits…","record":{…canonical JSON…}}
//
// sum is the CRC-32C of what stands before it, so that damage there is found in its line and not only in the next. batch is the first and the last sequence of what was appended at once. It is written, synced, and only then
// followed by another one. So what a crash leaves half-written is in the last batch, and whatever is damaged before it was
// acknowledged.
type header struct {
	Audit int    `json:"audit"` // version of the format
	Chain string `json:"chain"`
	After Head   `json:"after"`
}

// maxLine is the longest line of a segment.
const maxLine = MaxRecord + 256

const (
	beforeHash   = `{"hash":"`
	beforeBatch  = `","batch":[`
	beforeSum    = `],"sum":"`
	beforeRecord = `","record":`
)

// appendLine appends the line of a link in a batch.
func appendLine(b []byte, l *Link, first, last uint64) []byte {
	start := len(b)
	b = append(b, beforeHash...)
	b = append(b, l.Hash.String()...)
	b = append(b, beforeBatch...)
	b = strconv.AppendUint(b, first, 10)
	b = append(b, ',')
	b = strconv.AppendUint(b, last, 10)
	b = fmt.Appendf(append(b, beforeSum...), "%08x", crc32.Checksum(b[start:], castagnoli))
	b = append(b, beforeRecord...)
	b = append(b, l.Body...)
	return append(b, '}', '\n')
}

// A line is one of a segment, taken apart.
type line struct {
	hash        Hash
	first, last uint64 // of the batch
	body        []byte // a part of what was parsed
}

var errLine = errors.New("this is not a line of an audit segment")

// parseLine takes a line apart that ends with a line feed. It does not look into the record.
func parseLine(b []byte) (l line, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(beforeHash))
	if !ok || len(rest) < 2*len(l.hash) || !isDigest(string(rest[:2*len(l.hash)])) {
		return line{}, errLine
	}
	hex.Decode(l.hash[:], rest[:2*len(l.hash)]) // which such digits cannot fail
	rest, ok1 := bytes.CutPrefix(rest[2*len(l.hash):], []byte(beforeBatch))
	batch, rest, ok5 := bytes.Cut(rest, []byte(beforeSum))
	sum, rest, ok2 := bytes.Cut(rest, []byte(beforeRecord))
	first, last, ok3 := bytes.Cut(batch, []byte{','})
	body, ok4 := bytes.CutSuffix(rest, []byte("}\n"))
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(b[:len(beforeHash)+2*len(l.hash)+len(beforeBatch)+len(batch)], castagnoli)) {
		return line{}, errLine
	}
	l.body = body
	var err1, err2 error
	l.first, err1 = strconv.ParseUint(string(first), 10, 64)
	l.last, err2 = strconv.ParseUint(string(last), 10, 64)
	if err1 != nil || err2 != nil || l.first > l.last {
		return line{}, errLine
	}
	return l, nil
}

// fits says whether the line of a record can follow another one of its segment: it belongs to the same batch, or begins one. The
// zero line before is the header, or one that is not known.
func (l *line) fits(sequence uint64, before line) bool {
	inside := l.first <= sequence && sequence <= l.last
	if before.last >= sequence {
		return inside && l.first == before.first && l.last == before.last
	}
	return inside && l.first == sequence
}

// appendHeader appends the first line of a segment.
func appendHeader(b []byte, after Head) []byte {
	text, _ := json.Marshal(header{1, after.Chain, after}) // of which nothing can fail
	return append(append(b, text...), '\n')
}

func parseHeader(b []byte) (Head, error) {
	var h header
	if json.Unmarshal(b, &h) != nil || !bytes.Equal(b, appendHeader(nil, h.After)) || (h.After.Sequence == 0) != (h.After.Hash == Genesis) {
		return Head{}, errLine
	}
	return h.After, nil
}

// readLine returns the next line with its line feed, and how long it is. A line that is too long is cut, a last line without a line
// feed comes with io.ErrUnexpectedEOF. The line is valid until the next call.
func readLine(r *bufio.Reader) (b []byte, size int64, err error) {
	b, err = r.ReadSlice('\n')
	size = int64(len(b))
	for cut := b; err == bufio.ErrBufferFull; b = cut[:0] {
		var more []byte
		more, err = r.ReadSlice('\n')
		size += int64(len(more))
	}
	if err == io.EOF && size > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b, size, err
}

// newReader returns one for lines.
func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }

// idOf returns the id of a record in canonical JSON, escapes and all. What stands in a string cannot look like that: its quotes
// are escaped.
func idOf(body []byte) []byte {
	_, rest, _ := bytes.Cut(body, []byte(`,"id":"`))
	id, _, _ := bytes.Cut(rest, []byte(`","`))
	return id
}

// sequenceOf returns the sequence of a record in canonical JSON; 0 if that cannot be read.
func sequenceOf(body []byte) uint64 {
	_, rest, _ := bytes.Cut(body, []byte(`,"seq":`))
	number, _, _ := bytes.Cut(rest, []byte{','})
	n, _ := strconv.ParseUint(string(number), 10, 64) // 0 with an error, or a number that nobody has
	return n
}
