module github.com/relent-go/relent

go 1.26.0
