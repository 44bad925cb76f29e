module touchstone/clients/go

go 1.19
