output "emails" {
  description = "Program to the account's address."
  value       = { for program, account in google_service_account.this : program => account.email }
}

output "members" {
  description = "Program to the account as IAM names it."
  value       = { for program, account in google_service_account.this : program => account.member }
}
