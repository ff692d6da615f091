package exchange

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// peek may say that it is not sure; if it is, it says what decoding would.
func TestPeek(t *testing.T) {
	for _, test := range []struct {
		body, path, want string
		sure             bool
	}{
		{`{"code":-1003,"msg":"x"}`, "code", "-1003", true},
		{` {"a" : { "b" : "c" } , "d":[{"a":"}"}] } `, "a.b", "c", true},
		{`{"a":"\"}","b":1.50}`, "b", "1.50", true},
		{`{"a":true,"b":null}`, "a", "true", true},
		{`{"a":true,"b":null}`, "b", "", true},
		{`{"a":{"b":1}}`, "a", "", true},
		{`{"a":1}`, "a.b", "", true},
		{`{"a":1}`, "b", "", true},
		{`{}`, "b", "", true},
		{`{"a":[1]}`, "a", "", false},
		{`{"a":[{"b":1}]}`, "a.0.b", "", false},
		{`{"a":1,"a":2}`, "a", "", false},
		{`{"\u0061":1}`, "a", "", false},
		{`{"a":"\n"}`, "a", "", false},
		{`{"a":"é"}`, "a", "", false},
	} {
		if got, sure := peek([]byte(test.body), strings.Split(test.path, ".")); got != test.want || sure != test.sure {
			t.Errorf("peek(%s, %s) = %q, %v; want %q, %v", test.body, test.path, got, sure, test.want, test.sure)
		}
	}
	for body, want := range map[string]bool{` {"a":1}`: true, "": false, "  ": false, `[{}]`: false, `{"a":1`: false, `{"a":1}}`: false} {
		if got := flat([]byte(body)); got != want {
			t.Errorf("flat(%q) = %v; want %v", body, got, want)
		}
	}
}

func agree(t *testing.T, body []byte, path []string) {
	t.Helper()
	if !flat(body) {
		return
	}
	tree, _ := decode(body)
	if got, sure := peek(body, path); sure && got != first(tree, [][]string{path}) {
		t.Errorf("peek(%s, %q) = %q; want %q", body, path, got, first(tree, [][]string{path}))
	}
}

// Values of all shapes, at all their paths.
func TestPeekAgreesWithDecode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "code", "é", `q"`, "0"}
	var grow func(depth int) any
	grow = func(depth int) any {
		switch n := rnd.IntN(8); {
		case n < 3 && depth < 3:
			m := map[string]any{}
			for range rnd.IntN(4) {
				m[names[rnd.IntN(len(names))]] = grow(depth + 1)
			}
			return m
		case n == 3 && depth < 3:
			return []any{grow(depth + 1), grow(depth + 1)}
		}
		return []any{1.5, -7, "x", `y"}`, "ü", true, nil, ""}[rnd.IntN(8)]
	}
	for range 3000 {
		body, err := json.Marshal(map[string]any{"a": grow(0), "code": grow(0), "b": grow(1)})
		if err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(2) == 0 {
			body = []byte(strings.ReplaceAll(string(body), ":", " :\n"))
		}
		for range 5 {
			path := []string{names[rnd.IntN(len(names))], names[rnd.IntN(len(names))], names[rnd.IntN(len(names))]}[:1+rnd.IntN(3)]
			agree(t, body, path)
		}
	}
}

func FuzzPeek(f *testing.F) {
	f.Add([]byte(`{"a":{"b":"c"},"d":[1]}`), "a.b")
	f.Add([]byte(`{"a":"\\\"","a":1e5}`), "a")
	f.Fuzz(func(t *testing.T, body []byte, path string) { agree(t, body, strings.Split(path, ".")) })
}

// Answers that peek cannot read are decoded, and mean the same.
func TestSkimAgreesWithTree(t *testing.T) {
	for _, name := range Names() {
		p := mustLoad(t, name)
		for _, body := range []string{
			`{"code":"0","msg":"","data":[{"sCode":"51008","sMsg":"no","ordId":"","clOrdId":"a"}]}`, `{"code":-2010,"msg":"é"}`,
			`{"orderId":7,"clientOrderId":"ü"}`, `{"retCode":0,"retMsg":"OK","result":{"orderId":"x","orderLinkId":"y"}}`,
			`{"code":1,"code":2}`, `{"error":{"code":"A","message":"b","text":"c"},"errors":["x"],"message":"d"}`, `{}`,
			`{"message":"d","error_response":{"message":"e","error":"UNKNOWN"}}`, `{"code":"200000","data":{"orderId":"1","clientOid":"2"}}`, `{"msg":"a","message":"b","error":"c","label":"L"}`,
		} {
			escaped := strings.Replace(`{"\u007a":0,`+body[1:], ",}", "}", 1)
			for _, kind := range []Kind{Order, Cancel, Verify} {
				for _, status := range []int{200, 400, 503} {
					fast := p.Classify(kind, status, nil, []byte(body))
					slow := p.Classify(kind, status, nil, []byte(escaped)) // which peek leaves to decode
					fast.Body, slow.Body = nil, nil
					if fmt.Sprintf("%+v", fast) != fmt.Sprintf("%+v", slow) {
						t.Errorf("%s %v %d %s: %+v; want %+v", name, kind, status, body, fast, slow)
					}
				}
			}
		}
	}
}
