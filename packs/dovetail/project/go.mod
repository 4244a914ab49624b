module dovetail

go 1.19
